package ecs

import "github.com/orderly-run/orderly"

// errorInfo says in a sentence why a task did not succeed: here the newer wording counts.
func errorInfo(code orderly.ErrorCode) string { return code.Info() }
