//go:build unix

package agent

import "os"

// swapFile renames tmp to path, where old is open if it is not nil, and returns the file that is open there then:
// tmp, or after an error old.
func swapFile(tmp, old *os.File, path string) (*os.File, error) {
	if err := os.Rename(tmp.Name(), path); err != nil {
		tmp.Close()
		return old, err
	}
	if old != nil {
		old.Close()
	}
	return tmp, nil
}

// rename puts a file that is closed in the place of another.
func rename(from, to string) error { return os.Rename(from, to) }
