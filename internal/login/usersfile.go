package login

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seed-9c856424/registrar/internal/tenant"
)

// FileUser is an entry of a file of users.
type FileUser struct {
	// Name is what the user types; it is compared without case.
	Name string `yaml:"name"`
	// Password is a hash that [HashPassword] returned.
	Password string   `yaml:"password"`
	FullName string   `yaml:"full_name,omitempty"`
	Email    string   `yaml:"email,omitempty"`
	Groups   []string `yaml:"groups,omitempty"`
}

// usersFile is the whole file.
type usersFile struct {
	Users []FileUser `yaml:"users"`
}

// entry is a user of a file, checked.
type entry struct {
	user tenant.User
	hash passwordHash
}

// check returns the user, or everything that is wrong with the entry.
func (f FileUser) check() (entry, error) {
	hash, err := parsePasswordHash(f.Password)
	if err != nil {
		err = fmt.Errorf("password: %w", err)
	}
	name := normal(f.Name)
	faults := []error{err}
	for _, rule := range []struct {
		broken bool
		reason string
	}{
		{!isLogin(name), "name: " + badLogin},
		{f.FullName != displayText(f.FullName), fmt.Sprintf("full_name: must have at most %d characters, no control characters and no blank at its ends", maxNameRunes)},
		{f.Email != "" && !isEmail(f.Email), "email: must be one address"},
		{!areGroups(f.Groups), fmt.Sprintf("groups: must be at most %d names of 1 to %d printable bytes", maxGroups, maxGroupBytes)},
	} {
		if rule.broken {
			faults = append(faults, errors.New(rule.reason))
		}
	}
	// The operator who wrote the address vouches for it.
	return entry{hash: hash, user: tenant.User{
		Subject: subjectOf(sourceUsersFile, folded(name)), Login: name, Name: cmp.Or(f.FullName, name),
		Email: f.Email, EmailVerified: f.Email != "", Groups: f.Groups,
	}}, errors.Join(faults...)
}

func areGroups(groups []string) bool {
	for _, group := range groups {
		if group == "" || len(group) > maxGroupBytes || !isPrintable(group) {
			return false
		}
	}
	return len(groups) <= maxGroups
}

// roll is what a file of users says.
type roll struct {
	// entries are by the folded name.
	entries map[string]entry
	// decoy is verified in place of a user who is not there.
	decoy passwordHash
}

// checked returns the roll of the file, or everything that is wrong with it.
func (f usersFile) checked() (*roll, error) {
	r := &roll{
		entries: make(map[string]entry, len(f.Users)),
		decoy:   passwordHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)},
	}
	var faults []error
	for i, listed := range f.Users {
		checked, err := listed.check()
		if err != nil {
			faults = append(faults, fmt.Errorf("users[%d] (%.100q): %w", i, listed.Name, err))
			continue
		}
		key := folded(listed.Name)
		if _, taken := r.entries[key]; taken {
			faults = append(faults, fmt.Errorf("users[%d] (%q): the name is there already, as letter case makes no difference", i, listed.Name))
		}
		r.entries[key] = checked
		if i == 0 {
			r.decoy = checked.hash.decoy()
		}
	}
	return r, errors.Join(faults...)
}

// stamp tells one state of a file from another; the zero stamp is of no file.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.ModTime(), info.Size(), info.Mode()} }

// isExposed reports whether others than the owner can read the file.
func (s stamp) isExposed() bool { return s.mode.Perm()&0o077 != 0 }

// readUsers reads the file. The stamp is that of what was read, also beside an error.
func readUsers(path string) (usersFile, stamp, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return usersFile{}, stamp{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return usersFile{}, stamp{}, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return usersFile{}, stampOf(info), err
	}
	parsed, err := parseUsers(text)
	return parsed, stampOf(info), err
}

// hashText is what the errors of the parser may quote of a hash.
var hashText = regexp.MustCompile(`\$\S+`)

// parseUsers takes an empty text for an empty list. Its errors do not tell a hash.
func parseUsers(text []byte) (usersFile, error) {
	var f usersFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&f)
	if errors.Is(err, io.EOF) {
		return usersFile{}, nil
	}
	if err != nil {
		return usersFile{}, errors.New(hashText.ReplaceAllLiteralString(err.Error(), "[redacted]"))
	}
	if !errors.Is(decoder.Decode(new(usersFile)), io.EOF) {
		return usersFile{}, errors.New("there must be one YAML document")
	}
	return f, nil
}

// AddUser adds the user with the hash of their password to the file, which it makes if
// there is none. It replaces the file as a whole: whoever reads it sees the old one or the
// new one. Only the owner can read it. It fails for a user who breaks a rule or whose name
// is taken, for a file that is not valid, and while another call is at work on it.
func AddUser(path string, user FileUser, hash string) error {
	user.Password = hash
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: another user is being added; if not, remove this file", next)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(writeUsers(file, path, user), file.Close()); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncFolder(filepath.Dir(path))
}

// writeUsers writes the users of the file at path and one more.
func writeUsers(file *os.File, path string, user FileUser) error {
	present, _, err := readUsers(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	present.Users = append(present.Users, user)
	if _, err := present.checked(); err != nil {
		return err
	}
	text, err := yaml.Marshal(present)
	if err != nil {
		return err
	}
	if err := keepOwner(file, path); err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync())
}

// syncFolder makes a rename in the folder last.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
