package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

var here = netip.MustParseAddr("192.0.2.1")

// cheapHash is a hash that costs a test little.
func cheapHash(password string) string {
	h := passwordHash{memory: 8, passes: 1, threads: 1, salt: []byte("somesalt"), key: make([]byte, 32)}
	h.key = h.keyOf(password)
	return h.String()
}

// usersUnderTest are users of a file, and what was asked of the limits.
type usersUnderTest struct {
	*Users
	path  string
	log   *bytes.Buffer
	tries []string
	// limits are what the limits return, by what is asked of them.
	limits map[string]error
}

// listing is a file of one user for each name, whose password is the name.
func listing(names ...string) string {
	text := "users:\n"
	for _, name := range names {
		text += fmt.Sprintf("- name: %q\n  password: %q\n", name, cheapHash(name))
	}
	return text
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func openUsers(t *testing.T, text string) *usersUnderTest {
	t.Helper()
	u := &usersUnderTest{path: filepath.Join(t.TempDir(), "users.yaml"), log: new(bytes.Buffer), limits: map[string]error{}}
	writeFile(t, u.path, text, 0o600)
	var mu sync.Mutex
	try := func(what string) error {
		mu.Lock()
		defer mu.Unlock()
		u.tries = append(u.tries, what)
		return u.limits[what]
	}
	opened, warning, err := OpenUsers(UsersConfig{
		Path:         u.path,
		LimitUser:    func(_ context.Context, name string) error { return try("user " + name) },
		LimitAddress: func(_ context.Context, from netip.Addr) error { return try("address " + from.String()) },
		Log:          slog.New(slog.NewTextHandler(u.log, nil)),
	})
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	u.Users = opened
	return u
}

// change writes another file, a second younger than the one before.
func (u *usersUnderTest) change(t *testing.T, text string) {
	t.Helper()
	info, err := os.Stat(u.path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, u.path, text, 0o600)
	if err := os.Chtimes(u.path, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
}

// knows reports whether the user of that name, and password, can log in.
func (u *usersUnderTest) knows(t *testing.T, name string) bool {
	t.Helper()
	_, err := u.Verify(t.Context(), name, name, here)
	if err != nil && !errors.Is(err, ErrWrongPassword) {
		t.Fatal(err)
	}
	return err == nil
}

func TestUserIsAsListed(t *testing.T) {
	u := openUsers(t, `
users:
- name: Alice
  password: `+cheapHash("secret")+`
  full_name: Alice B
  email: alice@example.com
  groups: [staff, "on call"]
- name: bob
  password: `+cheapHash("secret")+`
`)
	cases := []struct {
		name string
		want tenant.User
	}{
		{"Alice", tenant.User{
			Subject: subjectOf(sourceUsersFile, "alice"), Login: "Alice", Name: "Alice B",
			Email: "alice@example.com", EmailVerified: true, Groups: []string{"staff", "on call"},
		}},
		{"bob", tenant.User{Subject: subjectOf(sourceUsersFile, "bob"), Login: "bob", Name: "bob"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, err := u.Verify(t.Context(), c.name, "secret", here); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	longest := strings.Repeat("x", MaxPasswordBytes)
	u := openUsers(t, listing("Ren\u00e9", "bob", "two words")+
		"- {name: longest, password: '"+cheapHash(longest)+"'}\n- {name: too long, password: '"+cheapHash(longest+"x")+"'}\n")
	cases := []struct {
		name, user, password string
		want                 error
	}{
		{"right", "Ren\u00e9", "Ren\u00e9", nil},
		{"in capitals", "REN\u00c9", "Ren\u00e9", nil},
		{"decomposed", "Rene\u0301", "Ren\u00e9", nil},
		{"blanks at the ends of the name", " bob ", "bob", nil},
		{"a blank in the name", "two words", "two words", nil},
		{"wrong password", "bob", "bo", ErrWrongPassword},
		{"blank at the end of the password", "bob", "bob ", ErrWrongPassword},
		{"capital in the password", "bob", "Bob", ErrWrongPassword},
		{"no password", "bob", "", ErrWrongPassword},
		{"another user's password", "bob", "two words", ErrWrongPassword},
		{"longest password", "longest", longest, nil},
		{"password too long", "too long", longest + "x", ErrWrongPassword},
		{"unknown", "carol", "carol", ErrWrongPassword},
		{"unknown, no password", "carol", "", ErrWrongPassword},
		{"no name", "", "", ErrWrongPassword},
		{"name too long", strings.Repeat("b", 1000), "bob", ErrWrongPassword},
		{"NUL in the name", "bob\x00", "bob", ErrWrongPassword},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := u.Verify(t.Context(), c.user, c.password, here)
			if !errors.Is(err, c.want) || (c.want != nil) != reflect.DeepEqual(got, tenant.User{}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestVerifyCountsTries(t *testing.T) {
	exceeded := errors.New("too many tries")
	address := "address " + here.String()
	cases := []struct {
		name, user, limited string
		want                []string
		err                 error
	}{
		{"known", "Bob", "", []string{address, "user bob"}, nil},
		{"unknown", "Carol", "", []string{address, "user carol"}, ErrWrongPassword},
		{"not a name", "bob\x00", "", []string{address}, ErrWrongPassword},
		{"address at its limit", "Bob", address, []string{address}, exceeded},
		{"user at their limit", "Bob", "user bob", []string{address, "user bob"}, exceeded},
		{"unknown user at their limit", "Carol", "user carol", []string{address, "user carol"}, exceeded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := openUsers(t, listing("bob"))
			u.limits[c.limited] = exceeded
			_, err := u.Verify(t.Context(), c.user, "bob", here)
			if !errors.Is(err, c.err) || !slices.Equal(u.tries, c.want) {
				t.Errorf("got %v after %q", err, u.tries)
			}
		})
	}
}

// TestUnknownUserCostsTheSame: what is hashed for a name that nobody has is as dear as
// what is hashed for one that somebody has.
func TestUnknownUserCostsTheSame(t *testing.T) {
	cost := func(h passwordHash) [5]int {
		return [5]int{int(h.memory), int(h.passes), int(h.threads), len(h.salt), len(h.key)}
	}
	u := openUsers(t, listing("bob"))
	known, _ := u.find(t.Context(), "bob")
	unknown, exists := u.find(t.Context(), "carol")
	if exists || cost(unknown.hash) != cost(known.hash) || bytes.Equal(unknown.hash.key, known.hash.key) {
		t.Errorf("known %q, unknown %q", known.hash, unknown.hash)
	}
	nobody, _ := openUsers(t, "users: []").find(t.Context(), "carol")
	if got := cost(nobody.hash); got != [5]int{19456, 2, 1, 16, 32} {
		t.Errorf("among no users %v", got)
	}
}

func TestVerifyHashesFourAtOnce(t *testing.T) {
	u := openUsers(t, listing("bob"))
	for range 4 {
		u.hashing <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := u.Verify(ctx, "bob", "bob", here)
	wantOutcome(t, err, oauth.TemporarilyUnavailable)

	<-u.hashing
	if !u.knows(t, "bob") {
		t.Error("nobody is let in when there is room")
	}
	if cap(u.hashing)-len(u.hashing) != 1 {
		t.Error("the room is not given back")
	}
}

func TestUsersFileRefused(t *testing.T) {
	user := func(lines string) string { return listing("bob") + "- name: alice\n" + lines }
	hashed := "  password: " + cheapHash("x") + "\n"
	cases := []struct{ name, text, want string }{
		{"not YAML", "users: [", "yaml"},
		{"a list", "- name: alice", "cannot unmarshal"},
		{"unknown member", "user: []", "user not found"},
		{"unknown member of a user", user(hashed + "  mail: a@b.example\n"), "mail not found"},
		{"member twice", user(hashed + hashed), "already defined"},
		{"two documents", "users: []\n---\nusers: []\n", "one YAML document"},
		{"hash without quotes among commas", "users: [{name: alice, password: " + cheapHash("x") + "}]", "not found"},
		{"no password", user(""), `users[1] ("alice"): password`},
		{"password in the clear", user("  password: secret\n"), "argon2id"},
		{"hash out of bounds", user("  password: $argon2id$v=19$m=1048576,t=2,p=1$" + salt16 + "$" + key32 + "\n"), "65536"},
		{"name twice", listing("bob", "BOB"), "already"},
		{"name twice, composed and not", listing("Ren\u00e9", "Rene\u0301"), "already"},
		{"no name", listing(""), "name"},
		{"blank at the end of the name", listing("bob "), "name"},
		{"name too long", listing(strings.Repeat("b", 65)), "name"},
		{"control character in the name", listing("bo\tb"), "name"},
		{"control character in the full name", user(hashed + "  full_name: \"a\\tb\"\n"), "full_name"},
		{"email", user(hashed + "  email: Alice <a@b.example>\n"), "email"},
		{"empty group", user(hashed + "  groups: ['']\n"), "groups"},
		{"one of the rest", user("  password: secret\n  email: x\n"), "email"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.yaml")
			writeFile(t, path, c.text, 0o600)
			users, _, err := OpenUsers(UsersConfig{Path: path})
			if users != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if hash := cheapHash("x"); strings.Contains(err.Error(), hash[len(hash)-20:]) {
				t.Errorf("the error tells a hash: %v", err)
			}
		})
	}
}

func TestUsersFileWithoutUsers(t *testing.T) {
	for _, text := range []string{"", "# nobody yet\n", "users:\n", "users: []\n"} {
		if u := openUsers(t, text); u.knows(t, "bob") {
			t.Errorf("%q lets somebody in", text)
		}
	}
}

func TestUsersFileMissing(t *testing.T) {
	if _, _, err := OpenUsers(UsersConfig{Path: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestUsersFileExposed(t *testing.T) {
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o622: true, 0o644: true} {
		path := filepath.Join(t.TempDir(), "users.yaml")
		writeFile(t, path, listing("bob"), mode)
		if _, warning, err := OpenUsers(UsersConfig{Path: path}); err != nil || (warning != "") != warns {
			t.Errorf("mode %o: %q, %v", mode, warning, err)
		}
	}
}

func TestUsersFileIsReadAgain(t *testing.T) {
	u := openUsers(t, listing("bob"))
	logged := func(want int) {
		t.Helper()
		if got := strings.Count(u.log.String(), "\n"); got != want {
			t.Errorf("%d lines are logged, want %d: %s", got, want, u.log)
		}
	}
	u.change(t, listing("bob", "carol"))
	if !u.knows(t, "carol") || !u.knows(t, "bob") {
		t.Error("a user who was added is not known")
	}
	logged(0)

	u.change(t, listing("bob", "bob"))
	for range 2 {
		if !u.knows(t, "carol") {
			t.Error("a broken file takes the users away")
		}
	}
	logged(1)

	if err := os.Remove(u.path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !u.knows(t, "carol") {
			t.Error("a missing file takes the users away")
		}
	}
	logged(2)

	writeFile(t, u.path, listing("dave"), 0o644)
	if u.knows(t, "carol") || !u.knows(t, "dave") {
		t.Error("a file that is back is not read")
	}
	logged(3)
	if !strings.Contains(u.log.String(), "0600") {
		t.Errorf("the mode is not warned of: %s", u.log)
	}
}

// TestUsersFileThatCannotBeOpened: it is there, and it is reported once.
func TestUsersFileThatCannotBeOpened(t *testing.T) {
	u := openUsers(t, listing("bob"))
	if err := os.Remove(u.path); err != nil {
		t.Fatal(err)
	}
	socket, err := new(net.ListenConfig).Listen(t.Context(), "unix", u.path)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for range 2 {
		if !u.knows(t, "bob") {
			t.Error("the users are taken away")
		}
	}
	if got := strings.Count(u.log.String(), "\n"); got != 1 {
		t.Errorf("%d lines are logged: %s", got, u.log)
	}
}

func TestUsersAtOnce(t *testing.T) {
	u := openUsers(t, listing("bob"))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := []string{"bob", "carol"}[i%2]
			if _, err := u.Verify(t.Context(), name, name, here); (err == nil) != (name == "bob") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
}

func TestAddUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	added := []FileUser{
		{Name: "Alice", FullName: "Alice: \"B\"", Email: "alice@example.com", Groups: []string{"staff", "- odd"}},
		{Name: "no", Groups: []string{"123"}},
		{Name: "Ren\u00e9"},
	}
	for _, user := range added {
		if err := AddUser(path, user, cheapHash(user.Name)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
	}
	users, warning, err := OpenUsers(UsersConfig{
		Path:         path,
		LimitUser:    func(context.Context, string) error { return nil },
		LimitAddress: func(context.Context, netip.Addr) error { return nil },
	})
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	for _, user := range added {
		got, err := users.Verify(t.Context(), user.Name, user.Name, here)
		if err != nil || got.Login != user.Name || got.Email != user.Email || !slices.Equal(got.Groups, user.Groups) {
			t.Errorf("%s is %+v, %v", user.Name, got, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %q, %v", left, err)
	}
}

func TestAddUserClosesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	writeFile(t, path, listing("bob"), 0o644)
	if err := AddUser(path, FileUser{Name: "alice"}, cheapHash("x")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAddUserRefuses(t *testing.T) {
	good := FileUser{Name: "alice"}
	cases := []struct {
		name, text string
		user       FileUser
		hash, want string
	}{
		{"name taken", listing("bob"), FileUser{Name: "BOB"}, cheapHash("x"), "there already"},
		{"bad name", listing("bob"), FileUser{Name: "al\nice"}, cheapHash("x"), "name"},
		{"bad email", listing("bob"), FileUser{Name: "alice", Email: "x"}, cheapHash("x"), "email"},
		{"bad hash", listing("bob"), good, "secret", "argon2id"},
		{"broken file", "users: [", good, cheapHash("x"), "yaml"},
		{"file with a fault", listing("bob", "bob"), good, cheapHash("x"), "already"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.yaml")
			writeFile(t, path, c.text, 0o600)
			if err := AddUser(path, c.user, c.hash); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
				t.Errorf("the file is %q, %v", text, err)
			}
			if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the new file is left: %v", err)
			}
		})
	}
}

func TestAddUserOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	writeFile(t, path+".new", "", 0o600)
	if err := AddUser(path, FileUser{Name: "alice"}, cheapHash("x")); err == nil || !strings.Contains(err.Error(), path+".new") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path + ".new"); err != nil {
		t.Errorf("the other's file is gone: %v", err)
	}
}
