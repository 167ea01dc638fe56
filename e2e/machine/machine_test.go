//go:build linux

package machine_test

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orderly-run/orderly/e2e/stage"
)

// atOnce is how many stories are told at the same time: they mostly wait.
const atOnce = "4"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(stage.Main(m))
}

var (
	//go:embed hold.sh
	holdScript string
	//go:embed boot.sh
	bootScript string
)

// An initSystem is what boots a machine.
type initSystem struct {
	command  string            // becomes process 1; its first word is a program
	files    map[string]string // that it needs beside the machine's and those of packages; all may be executed
	packages string            // archives of Debian that are unpacked on the machine, as a pattern of their paths
	up       []string          // a command that succeeds when the machine is up
	log      []string          // one that prints what happened
	joins    bool              // whoever enters must join the machine's control group himself
}

var systemd = initSystem{
	command: "/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=false",
	up:      []string{"systemctl", "is-system-running"},
	log:     []string{"journalctl", "--no-pager", "--lines=300", "--output=short-monotonic"},
}

// A machine has an init system as process 1.
type machine struct {
	*testing.T
	init   initSystem
	server *stage.Server
	orders io.WriteCloser // to hold.sh, which holds it
	said   chan string    // by that; closed with its end
	errors *bytes.Buffer  // of that; to be read after its end
	pid    int            // of process 1, as it is here; 0 when the machine is down
	id     string         // of the instance, once it is registered
}

// open makes a machine with systemd, boots it, and puts a server beside it.
func open(t *testing.T) *machine {
	t.Helper()
	return openWith(t, systemd)
}

func openWith(t *testing.T, init initSystem) *machine {
	t.Helper()
	t.Parallel()
	m := &machine{T: t, init: init}
	err := m.hold()
	if err == nil {
		err = m.tryBoot()
	}
	switch {
	case err == nil:
		m.server = stage.Open(t, stage.Options{TLS: true})
	case os.Getenv("ORDERLY_REQUIRE_SYSTEMD") == "1":
		t.Fatalf("a machine with systemd is required here: %v", err)
	default:
		t.Skipf("NOT TESTED UNDER SYSTEMD: %v (run hack/prepare, and the test as root)", err)
	}
	return m
}

// hold makes the machine, which is there until the test ends.
func (m *machine) hold() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can make a machine")
	}
	program, _, _ := strings.Cut(m.init.command, " ")
	if _, err := os.Stat(program); err != nil {
		return err
	}
	boot := filepath.Join(m.TempDir(), "boot.sh")
	if err := os.WriteFile(boot, []byte(bootScript), 0o600); err != nil {
		return err
	}
	dir := m.TempDir()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", holdScript, "hold", dir, boot)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not reach it before it has cleaned up
	m.errors = new(bytes.Buffer)
	cmd.Stderr = m.errors
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.orders, m.said = orders, make(chan string)
	go func() { // ends with the script
		defer close(m.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			m.said <- lines.Text()
		}
	}()
	m.Cleanup(func() { m.release(cmd) })
	if _, err := m.hear("ready"); err != nil {
		return err
	}
	return m.furnish(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "root", dir, "root"))
}

// furnish gives the machine, whose file system is in a folder, what its init system needs.
func (m *machine) furnish(root string) error {
	packages, err := filepath.Glob(m.init.packages)
	if err == nil && len(packages) == 0 && m.init.packages != "" {
		err = fmt.Errorf("there is no %s", m.init.packages)
	}
	for _, path := range packages {
		const unpack = `dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"`
		if out, failed := exec.Command("sh", "-c", unpack, "unpack", path, root).CombinedOutput(); failed != nil {
			err = errors.Join(err, fmt.Errorf("unpack %s: %w: %s", path, failed, out))
		}
	}
	for name, text := range m.init.files {
		err = errors.Join(err, os.WriteFile(filepath.Join(root, name), []byte(text), 0o755))
	}
	return err
}

// hear waits for the next line of the script, which begins with a word, and returns the rest of it.
func (m *machine) hear(word string) (string, error) {
	select {
	case line := <-m.said:
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest), nil
		}
		return "", fmt.Errorf("the machine's holder says %q instead of %q", line, word)
	case <-time.After(stage.Patience):
		return "", fmt.Errorf("the machine's holder does not say %q", word)
	}
}

// release ends the machine, and shows the journal of a test that failed.
func (m *machine) release(cmd *exec.Cmd) {
	if m.Failed() && m.pid != 0 {
		text, err := m.enter(m.init.log...)
		m.Logf("the machine's log: %v\n%s", err, text)
	}
	_ = m.orders.Close() // there may be nobody to hear of it
	for range m.said {
	}
	if err := cmd.Wait(); err != nil || m.Failed() || m.Skipped() {
		m.Logf("the machine's holder: %v: %s", err, m.errors)
	}
}

// boot boots the machine, and returns when it is up.
func (m *machine) boot() {
	m.Helper()
	if err := m.tryBoot(); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) tryBoot() error {
	if _, err := io.WriteString(m.orders, m.init.command+"\n"); err != nil {
		return err
	}
	text, err := m.hear("up ")
	if err != nil {
		return err
	}
	if m.pid, err = strconv.Atoi(text); err != nil {
		return err
	}
	stage.Await(m, stage.Patience, "the machine is up", func() error {
		out, err := m.enter(m.init.up...)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	})
	return nil
}

// cut ends the machine as a power cut does.
func (m *machine) cut() {
	m.Helper()
	if err := syscall.Kill(m.pid, syscall.SIGKILL); err != nil {
		m.Fatal(err)
	}
}

// down waits for the end of the machine's process 1.
func (m *machine) down() {
	m.Helper()
	if _, err := m.hear("down"); err != nil {
		m.Fatal(err)
	}
	m.pid = 0
}

// enter runs a program on the machine as an administrator does, and returns what it said on both outputs.
func (m *machine) enter(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stage.Patience) // the test's may be over
	defer cancel()
	in := []string{"--target", strconv.Itoa(m.pid), "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--"}
	if m.init.joins {
		in = append(in, "sh", "-c", `echo 0 >/sys/fs/cgroup/cgroup.procs && exec "$@"`, "enter")
	}
	cmd := exec.CommandContext(ctx, "nsenter", append(in, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root", "TERM=dumb"}
	cmd.WaitDelay = time.Second // what nsenter has started may live on, until the machine ends
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do is enter for what must succeed.
func (m *machine) do(args ...string) string {
	m.Helper()
	out, err := m.enter(args...)
	if err != nil {
		m.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// code is the exit code of a program that was entered.
func code(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// path is where a file of the machine is here.
func (m *machine) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(m.pid), "root", name)
}

// processes are those of the machine, by their numbers there, whose command line has a text.
func (m *machine) processes(text string) (found []string) {
	m.Helper()
	lines, err := filepath.Glob(m.path("/proc/[0-9]*/cmdline"))
	if err != nil || len(lines) == 0 {
		m.Fatalf("no processes: %v", err)
	}
	for _, path := range lines {
		line, _ := os.ReadFile(path) // it may be gone
		if strings.Contains(strings.ReplaceAll(string(line), "\x00", " "), text) {
			found = append(found, filepath.Base(filepath.Dir(path)))
		}
	}
	return found
}
