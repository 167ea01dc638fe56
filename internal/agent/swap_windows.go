package agent

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// swapFile renames tmp to path, where old is open if it is not nil, and returns the file that is open there then. No
// file that is open can be renamed or replaced, so both are closed for it; old is safe from a power cut before, as
// whoever is in the middle of making it safe believes. When not even old can be opened again, it is returned closed.
func swapFile(tmp, old *os.File, path string) (*os.File, error) {
	err := tmp.Close()
	if old != nil {
		err = errors.Join(err, old.Sync(), old.Close())
	}
	if err == nil {
		err = rename(tmp.Name(), path)
	}
	var file *os.File
	again := patiently(func() (err error) {
		file, err = os.OpenFile(path, os.O_RDWR, 0)
		return err
	})
	if again != nil {
		return old, errors.Join(err, again)
	}
	return file, err
}

// rename puts a file that is closed in the place of another.
func rename(from, to string) error {
	return patiently(func() error { return os.Rename(from, to) })
}

// intrusion is how long other programs may have a file of ours open.
const intrusion = 2 * time.Second

// patiently does something with files again while others have them open: what looks for viruses or makes backups
// takes each new file for a moment, and who asks for the agent's status has that open.
func patiently(do func() error) error {
	tick := time.NewTicker(intrusion / 200)
	defer tick.Stop()
	for end := time.Now().Add(intrusion); ; <-tick.C {
		err := do()
		taken := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !taken || time.Now().After(end) {
			return err
		}
	}
}
