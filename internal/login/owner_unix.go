//go:build unix

package login

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives the new file to the owner of the one at path, if there is one: the
// process that reads it may not be the user who writes it.
func keepOwner(file *os.File, path string) error {
	present, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	from, to := present.Sys().(*syscall.Stat_t), info.Sys().(*syscall.Stat_t)
	if from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	return file.Chown(int(from.Uid), int(from.Gid))
}
