//go:build !linux

package proc

import (
	"errors"
	"os"
)

// Attach fails: what other programs start is not looked after on this system.
func Attach(Spec, Guest) (*Process, error) { return nil, errors.ErrUnsupported }

// A guest does not occur.
type guest struct{ Guest }

func (*guest) wait() error                      { return errors.ErrUnsupported }
func (*guest) exitCode() (code int, known bool) { return 0, false }
func (*guest) wasKilled() bool                  { return false }
func (*guest) ended() bool                      { return true }
func (*guest) send(os.Signal) error             { return errors.ErrUnsupported }
