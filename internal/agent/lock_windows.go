package agent

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks the file at path, which it makes if need be, until the file is closed or the
// process ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		err = ErrJournalInUse
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// inode is the file's number on its file system, which a copy has not.
func inode(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return 0, err
	}
	return uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), nil
}

// syncDir has nothing to do: NTFS keeps its own log of renames.
func syncDir(string) error { return nil }
