//go:build !linux

package agent

// unmapProgram is of Linux.
func unmapProgram() {}
