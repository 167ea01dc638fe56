package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A kind is a service manager.
type kind struct {
	name    string
	path    string      // of the service's file
	mode    os.FileMode // of it
	text    string      // of it, see service.text
	enable  [][]string  // commands that start the service now and at each boot
	disable [][]string  // and that end that, before the file is removed
	forget  [][]string  // after it is removed
	state   []string    // prints one line that says how it is
}

var (
	//go:embed service/orderly-agent.service
	systemdUnit string
	//go:embed service/orderly-agent.init
	sysvScript string
	//go:embed service/orderly-agent.openrc
	openrcScript string
	//go:embed service/supervise.sh
	superviseScript string // a part of both scripts
)

const initScript = "/etc/init.d/orderly-agent"

// kinds are the service managers that are known, in the order in which they are looked for.
var kinds = []kind{
	{
		name: "systemd", path: "/etc/systemd/system/orderly-agent.service", mode: 0o644, text: systemdUnit,
		enable:  [][]string{{"systemctl", "daemon-reload"}, {"systemctl", "enable", "orderly-agent"}, {"systemctl", "restart", "orderly-agent"}},
		disable: [][]string{{"systemctl", "disable", "--now", "orderly-agent"}},
		forget:  [][]string{{"systemctl", "daemon-reload"}, {"sh", "-c", "! systemctl --quiet is-failed orderly-agent || systemctl reset-failed orderly-agent"}},
		state:   []string{"systemctl", "is-active", "orderly-agent"},
	},
	{
		name: "openrc", path: initScript, mode: 0o755, text: openrcScript,
		enable:  [][]string{{"rc-update", "add", "orderly-agent", "default"}, {"rc-service", "orderly-agent", "restart"}},
		disable: [][]string{{"rc-service", "orderly-agent", "stop"}, {"rc-update", "del", "orderly-agent", "default"}},
		state:   []string{"rc-service", "orderly-agent", "status"},
	},
	{
		name: "sysv", path: initScript, mode: 0o755, text: sysvScript,
		enable:  [][]string{{"sh", "-c", "if command -v update-rc.d; then update-rc.d orderly-agent defaults; else chkconfig --add orderly-agent; fi"}, {initScript, "restart"}},
		disable: [][]string{{initScript, "stop"}},
		forget:  [][]string{{"sh", "-c", "if command -v update-rc.d; then update-rc.d orderly-agent remove; fi"}},
		state:   []string{initScript, "status"},
	},
}

// signs are what shows that a manager runs the machine, and traces that it would run one made from an image, in
// which nothing runs: Debian's with systemd have scripts in /etc/init.d too.
var (
	signs  = map[string][]string{"systemd": {"/run/systemd/system"}, "openrc": {"/sbin/openrc-run"}, "sysv": {"/etc/init.d"}}
	traces = map[string][]string{"systemd": {"/lib/systemd/systemd", "/usr/lib/systemd/systemd"}, "openrc": signs["openrc"], "sysv": signs["sysv"]}
)

// kindOf is the named manager, or with "" the one that is there.
func kindOf(name, root string) (kind, error) {
	looks := signs
	if root != "" {
		looks = traces
	}
	for _, k := range kinds {
		if name == k.name || name == "" && slices.ContainsFunc(looks[k.name], func(path string) bool { return exists(filepath.Join(root, path)) }) {
			return k, nil
		}
	}
	if name == "" {
		return kind{}, usageError("no service manager is found here: name one with --init systemd, openrc or sysv")
	}
	return kind{}, usageError(fmt.Sprintf("--init is systemd, openrc or sysv, not %q", name))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// installedKind is the manager whose file install has left, the named one with a name. Two have it in the same
// place: the first line tells them apart.
func installedKind(name, root string) (kind, bool) {
	for _, k := range kinds {
		text, err := os.ReadFile(filepath.Join(root, k.path))
		if err != nil || name != "" && name != k.name {
			continue
		}
		first, _, _ := strings.Cut(k.text, "\n")
		if line, _, _ := strings.Cut(string(text), "\n"); line == first {
			return k, true
		}
	}
	return kind{}, false
}

// A service is the agent as one.
type service struct {
	kind    kind
	root    string // "" for this machine
	program string
	args    []string // of the program
}

func (s *service) file() string { return filepath.Join(s.root, s.kind.path) }

// text is the service's file.
func (s *service) text() string {
	line := append([]string{s.program}, s.args...)
	text := strings.Replace(s.kind.text, "@SUPERVISE@\n", superviseScript, 1)
	return strings.NewReplacer(
		"@COMMAND@", joined(line, unitWord), "@PROGRAM@", shellWord(s.program), "@ARGUMENTS@", joined(s.args, shellWord),
	).Replace(text)
}

func joined(words []string, quote func(string) string) string {
	var list []string
	for _, w := range words {
		list = append(list, quote(w))
	}
	return strings.Join(list, " ")
}

// unitWord is a word of a command line in a unit of systemd.
func unitWord(w string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`).Replace(w) + `"`
}

// shellWord is a word as a shell reads it.
func shellWord(w string) string { return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'" }

// install writes the service's file and has it started now and at each boot.
func (s *service) install(ctx context.Context) error {
	if err := copyProgram(filepath.Join(s.root, s.program)); err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.file()), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.file()+".new", []byte(s.text()), s.kind.mode); err != nil {
		return err
	}
	if err := os.Rename(s.file()+".new", s.file()); err != nil {
		return err
	}
	return s.do(ctx, s.kind.enable)
}

// uninstall undoes install, but for the program.
func (s *service) uninstall(ctx context.Context) error {
	if err := s.do(ctx, s.kind.disable); err != nil {
		return err
	}
	if err := os.Remove(s.file()); err != nil {
		return err
	}
	return s.do(ctx, s.kind.forget)
}

// do runs commands of the service manager, unless this is about another root.
func (s *service) do(ctx context.Context, commands [][]string) error {
	if s.root != "" {
		return nil
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(c, " "), err, out)
		}
	}
	return nil
}

// state is how the service is, in a line.
func (s *service) state(ctx context.Context) string {
	if s.root != "" {
		return s.kind.name + ": installed"
	}
	// It tells by its exit code too, and OpenRC on stderr what is not good.
	out, err := exec.CommandContext(ctx, s.kind.state[0], s.kind.state[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(strings.Trim(string(out), " *\n"), "\n")
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		line = err.Error()
	}
	return s.kind.name + ": " + line
}
