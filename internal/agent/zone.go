package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// A zone is the machine's time zone, which may be set while the agent runs. The Go runtime reads it
// once; nothing but Run may use this.
type zone struct {
	path string // of the file that has it; "": it is the runtime's
	read os.FileInfo
	is   *time.Location
}

// newZone is the zone of a machine whose file system is at root. A TZ in the environment is for this
// process only, and stays.
func newZone(root string) zone {
	if _, set := os.LookupEnv("TZ"); set || runtime.GOOS == "windows" {
		return zone{}
	}
	return zone{path: filepath.Join(root, "etc", "localtime")}
}

// now is the zone as it is set now. Without a file it is UTC, and with one that cannot be read what it
// was before.
func (z *zone) now() *time.Location {
	if z.path == "" {
		return time.Local
	}
	info, err := os.Stat(z.path)
	switch {
	case os.IsNotExist(err):
		z.read, z.is = nil, time.UTC
	case err != nil || z.read != nil && os.SameFile(info, z.read) && info.ModTime().Equal(z.read.ModTime()):
	default:
		z.load(info)
	}
	if z.is == nil {
		return time.Local
	}
	return z.is
}

func (z *zone) load(info os.FileInfo) {
	data, err := os.ReadFile(z.path)
	if err != nil {
		return
	}
	if l, err := time.LoadLocationFromTZData("Local", data); err == nil {
		z.read, z.is = info, l
	}
}
