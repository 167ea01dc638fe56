//go:build !linux

package proc

import "errors"

// Cgroups is of Linux. Its methods do nothing elsewhere.
type Cgroups struct{}

// OpenCgroups fails: this system has no control groups.
func OpenCgroups(string) (*Cgroups, error) { return nil, errors.ErrUnsupported }

// Sweep has nothing to give up.
func (*Cgroups) Sweep() error { return nil }

// Wait has nothing to wait for.
func (*Cgroups) Wait() {}
