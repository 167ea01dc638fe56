//go:build unix && !linux && !darwin

package proc

import "errors"

func startTime(int) (uint64, error) { return 0, errors.ErrUnsupported }
