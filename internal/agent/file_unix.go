//go:build unix

package agent

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// hasModes says that files have modes here.
const hasModes = true

// ownersOf finds the numbers of a file's user and group, -1 for one that is to stay. Where none is named they are
// those of root; an agent that is not root leaves the file its own.
func ownersOf(f *wire.File) (uid, gid int, err error) {
	if uid, err = number(f.Owner, func() (string, error) {
		u, err := user.Lookup(f.Owner)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}); err != nil {
		return 0, 0, &misplacement{orderly.Invalid, orderly.AccountNotExists, err}
	}
	if gid, err = number(f.Group, func() (string, error) {
		g, err := user.LookupGroup(f.Group)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}); err != nil {
		return 0, 0, &misplacement{orderly.Invalid, orderly.UserGroupNotExists, err}
	}
	return uid, gid, nil
}

// number is that of a user or group of a name, which find looks up.
func number(name string, find func() (string, error)) (int, error) {
	switch {
	case name == "" && os.Geteuid() == 0:
		return 0, nil
	case name == "":
		return -1, nil
	}
	text, err := find()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("number of %q: %w", name, err)
	}
	return n, nil
}

// flushDir makes the names in a directory safe from a power cut, where the file system can do that.
func flushDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
