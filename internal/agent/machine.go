package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

// A machine is what tells this machine from its copies: facts that stay while it lives, hashed.
type machine map[string]string

// facts are the files that have them. Some can be read by root only.
var facts = []string{
	"etc/machine-id",
	"sys/class/dmi/id/product_uuid",
	"sys/class/dmi/id/product_serial",
	"sys/class/dmi/id/board_serial",
	"sys/hypervisor/uuid",
	"etc/hostid",
}

// hasFiles reports whether root has a Unix system's files. On Windows anybody may make some that look so.
func hasFiles(root string) bool { return root != "/" || here != onWindows }

// readMachine reads the facts that there are under root.
func readMachine(root string) machine {
	m := machine{}
	for _, f := range facts {
		if !hasFiles(root) {
			break
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
		if text := strings.TrimSpace(string(data)); err == nil && text != "" {
			m[f] = digest(f, text)
		}
	}
	if root == "/" {
		for name, text := range systemFacts() {
			m[name] = digest(name, text)
		}
	}
	return m
}

// digest keeps what it is made of to itself.
func digest(name, text string) string {
	sum := sha256.Sum256([]byte("orderly machine\x00" + name + "\x00" + text))
	return hex.EncodeToString(sum[:16])
}

// sameAs reports whether no fact known of both says otherwise. A fact that only one has, says
// nothing: it may not have been readable.
func (m machine) sameAs(o machine) bool {
	for name, sum := range m {
		if other, ok := o[name]; ok && other != sum {
			return false
		}
	}
	return true
}

// id names the machine to the server, "" when nothing is known of it.
func (m machine) id() string {
	if len(m) == 0 {
		return ""
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return digest("id", strings.Join(all, "\n"))
}

// uptime is how long ago the machine was booted, if that is known.
func (a *Agent) uptime() (time.Duration, bool) {
	if a.cfg.Uptime > 0 {
		return a.cfg.Uptime + time.Since(a.made), true
	}
	up, err := bootAge()
	if err != nil {
		a.log.Warn("it is not known when the machine was booted", "error", err)
	}
	return up, err == nil
}

// osType is the family this system belongs to. Those without a name of their own in the API are nearest to
// FreeBSD, macOS among them; what it is, osVersion says (docs/deviations.md).
func osType() orderly.OSType {
	switch runtime.GOOS {
	case "linux":
		return orderly.Linux
	case "windows":
		return orderly.Windows
	}
	return orderly.FreeBSD
}

// osVersion is the system's name for itself.
func osVersion(root string) string {
	data, err := os.ReadFile(filepath.Join(root, "etc", "os-release"))
	if err != nil || !hasFiles(root) {
		return systemName()
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			v = strings.Trim(v, `"'`)
			return v[:min(len(v), 128)]
		}
	}
	return systemName()
}
