package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/signing"
)

// newSealer seals under the secret key of the configuration or, with the embedded database
// and none configured, under one that is made once and kept beside the database.
func newSealer(settings *config.Config) (*signing.Sealer, error) {
	key := settings.SecretKey
	if len(key) == 0 {
		var err error
		if key, err = keptKey(settings.SecretKeyFile()); err != nil {
			return nil, fmt.Errorf("the secret key in %s: %w", settings.SecretKeyFile(), err)
		}
	}
	return signing.NewSealer(key, rand.Reader)
}

// keptKey reads the key from the file, which it makes if there is none. Of several
// processes that make it at once, all use what the first one wrote.
func keptKey(path string) ([]byte, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: it stands beside the database, which the operator names
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return key, nil
}

// makeKey writes a new key in full before the file has its name.
func makeKey(path string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	key := make([]byte, signing.SecretKeyBytes)
	_, _ = rand.Read(key)
	_, writeErr := fmt.Fprintln(draft, base64.StdEncoding.EncodeToString(key))
	if err := errors.Join(writeErr, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
