package agent

import (
	"os"

	"github.com/orderly-run/orderly/internal/wire"
)

// hasModes says that files have no modes here (SF-1).
const hasModes = false

// ownersOf leaves a file the agent's own: owners are for Linux (SF-1).
func ownersOf(*wire.File) (uid, gid int, err error) { return -1, -1, nil }

// flushDir does nothing: the file system sees to its names itself.
func flushDir(*os.File) error { return nil }
