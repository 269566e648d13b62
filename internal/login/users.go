package login

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// maxHashing is how many passwords are verified at once: each takes as much memory as its
// hash asks for.
const maxHashing = 4

// ErrWrongPassword is one answer for a wrong password and for a name that nobody has, so
// that nobody learns who is a user.
var ErrWrongPassword error = &oauth.Error{Code: oauth.AccessDenied, Description: "the name or the password is wrong"}

// UsersConfig is a file of users and what holds those who try passwords.
type UsersConfig struct {
	Path string
	// LimitUser and LimitAddress count a try, of a name, as it is compared, and from an
	// address. Their errors refuse it and are returned as they are.
	LimitUser    func(ctx context.Context, name string) error
	LimitAddress func(ctx context.Context, from netip.Addr) error
	// Log hears of a file that changed for the worse.
	Log *slog.Logger
}

// Users are those of a file, which is read again when it changes.
type Users struct {
	UsersConfig
	hashing chan struct{}

	mu    sync.Mutex
	roll  *roll
	stamp stamp
}

// OpenUsers reads the file. The warning is for the operator, empty if there is none. It
// fails for a file that cannot be read or has a fault, and tells every fault.
func OpenUsers(config UsersConfig) (users *Users, warning string, err error) {
	u := &Users{UsersConfig: config, hashing: make(chan struct{}, maxHashing)}
	if err := u.load(); err != nil {
		return nil, "", err
	}
	return u, u.warning(), nil
}

func (u *Users) load() error {
	file, read, err := readUsers(u.Path)
	u.stamp = read
	if err != nil {
		return fmt.Errorf("users file %s: %w", u.Path, err)
	}
	fresh, err := file.checked()
	if err != nil {
		return fmt.Errorf("users file %s: %w", u.Path, err)
	}
	u.roll = fresh
	return nil
}

func (u *Users) warning() string {
	if !u.stamp.isExposed() {
		return ""
	}
	return fmt.Sprintf("users file %s: others than its owner can read or change it, its mode should be 0600", u.Path)
}

// Verify returns the user of that name and password, who asks from the address. It returns
// [ErrWrongPassword], the error of a limit, or an *oauth.Error of code
// temporarily_unavailable if ctx ends before it is the password's turn.
func (u *Users) Verify(ctx context.Context, name, password string, from netip.Addr) (tenant.User, error) {
	if err := u.LimitAddress(ctx, from); err != nil {
		return tenant.User{}, err
	}
	name = normal(strings.TrimSpace(name))
	if !isLogin(name) || len(password) > MaxPasswordBytes {
		return tenant.User{}, ErrWrongPassword
	}
	key := folded(name)
	if err := u.LimitUser(ctx, key); err != nil {
		return tenant.User{}, err
	}
	found, exists := u.find(ctx, key)
	matches, err := u.compare(ctx, found.hash, password)
	if err != nil {
		return tenant.User{}, err
	}
	if !exists || !matches {
		return tenant.User{}, ErrWrongPassword
	}
	return found.user, nil
}

// find returns the entry of the name, or one that costs the same to verify.
func (u *Users) find(ctx context.Context, key string) (found entry, exists bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reload(ctx)
	if found, exists = u.roll.entries[key]; exists {
		return found, true
	}
	return entry{hash: u.roll.decoy}, false
}

// Present returns the user of that subject as the file has them now, and whether it does.
func (u *Users) Present(ctx context.Context, subject string) (tenant.User, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reload(ctx)
	for _, listed := range u.roll.entries {
		if listed.user.Subject == subject {
			return listed.user, true
		}
	}
	return tenant.User{}, false
}

// reload reads the file if it is not the one that was read. The users of the last good
// file stay until there is a better one.
func (u *Users) reload(ctx context.Context) {
	var present stamp
	if info, err := os.Stat(u.Path); err == nil {
		present = stampOf(info)
	}
	if present == u.stamp {
		return
	}
	if err := u.load(); err != nil {
		// It is reported once, and read again when it changes.
		u.stamp = present
		u.Log.ErrorContext(ctx, "the users file is not read: the users from before stay", "error", err)
		return
	}
	if warning := u.warning(); warning != "" {
		u.Log.WarnContext(ctx, warning)
	}
}

func (u *Users) compare(ctx context.Context, hash passwordHash, password string) (bool, error) {
	select {
	case u.hashing <- struct{}{}:
		defer func() { <-u.hashing }()
		return hash.verifies(password), nil
	case <-ctx.Done():
		return false, &oauth.Error{
			Code: oauth.TemporarilyUnavailable, Description: "too many people are logging in at once, try again shortly", Cause: ctx.Err(),
		}
	}
}
