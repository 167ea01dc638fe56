package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
)

// A process is orderly, started by a test and read while it runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.Writer
	mu   sync.Mutex
	text bytes.Buffer // all that was printed
	more chan struct{}
	code chan int
}

// starts starts orderly on a terminal of its own, or, with no size, without one.
func starts(t *testing.T, env []string, size *pty.Winsize, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	t.Cleanup(cancel)
	p := &process{t: t, cmd: exec.CommandContext(ctx, "orderly", args...), more: make(chan struct{}, 1), code: make(chan int, 1)}
	p.cmd.Env = append(env, "TERM=xterm-256color", "NO_COLOR=")
	var out *os.File
	var err error
	if size != nil {
		out, err = pty.StartWithSize(p.cmd, size)
		p.in = out
	} else {
		var end *os.File
		if out, end, err = os.Pipe(); err == nil {
			p.cmd.Stdout, p.cmd.Stderr = end, end
			err = p.cmd.Start()
			end.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	return p
}

// read takes what is printed, until the program has ended.
func (p *process) read(out *os.File) {
	defer out.Close()
	part := make([]byte, 4096)
	for {
		n, err := out.Read(part)
		p.mu.Lock()
		p.text.Write(part[:n])
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		if err != nil { // EIO when a terminal's other end is closed
			_ = p.cmd.Wait() // how it ended is the exit code
			p.code <- p.cmd.ProcessState.ExitCode()
			return
		}
	}
}

func (p *process) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// sees waits until what was printed matches.
func (p *process) sees(pattern string) {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	deadline := time.After(patience)
	for !want.MatchString(p.printed()) {
		select {
		case <-p.more:
		case <-deadline:
			p.t.Fatalf("it shows\n%q\nwant %s in it", p.printed(), pattern)
		}
	}
}

// types sends keys; \x03 is Ctrl-C.
func (p *process) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, keys); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end, with that code.
func (p *process) ends(code int) {
	p.t.Helper()
	select {
	case got := <-p.code:
		if got != code {
			p.t.Errorf("exit code %d, want %d; it shows\n%s", got, code, p.printed())
		}
	case <-time.After(patience):
		p.t.Fatalf("it goes on; it shows\n%s", p.printed())
	}
}

// background starts what stays for the test.
func background(t *testing.T, env []string, ready string, args ...string) {
	t.Helper()
	p := starts(t, env, nil, args...)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGINT) // it may have ended
		<-p.code
	})
	p.sees(ready)
}

// fleetOf starts a server and so many pretend machines, and returns the environment to call it in.
func fleetOf(t *testing.T, agents int, flags ...string) []string {
	t.Helper()
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir, "ORDERLY_DATA="+filepath.Join(dir, "server"), "ORDERLY_LISTEN=127.0.0.1:0", "ORDERLY_NATS_LISTEN=127.0.0.1:0")
	background(t, env, "msg=ready", "server")
	background(t, env, "agents are connected", append([]string{"sim", "--agents", fmt.Sprint(agents)}, flags...)...)
	return env
}

var terminal = &pty.Winsize{Rows: 24, Cols: 100}

// On a terminal a run shows how far it is, and takes that away at the end.
func TestRunShowsHowFarItIs(t *testing.T) {
	env := fleetOf(t, 30, "--delay", "4s", "--fail", "10", "--name", "web")
	p := starts(t, env, terminal, "run", "--all", "--", "true")
	p.sees(`run on all 30 machines \(\d+ connected\)\? \[y/N\] `)
	p.types("y\r")
	p.sees(`▒+.*\] 0 of 30\r\n.*0 succeeded.*30 running.*  0 waiting\r\nt-\w+  \d+(\.\d+)?m?s\r\n`)
	p.sees(`\r\nslowest: web-\d+ [2-4]s, web-\d+ [2-4]s, web-\d+ [2-4]s\r\n`)
	p.ends(1)
	out := p.printed()
	if last := out[strings.LastIndex(out, "\x1b[J"):]; !strings.Contains(last, "27 machines: ") || !strings.Contains(last, "30 machines: 27 succeeded, 3 failed") ||
		strings.Contains(last, "slowest") {
		t.Errorf("at the end it shows\n%s\nwant the results only", last)
	}
}

// Whoever says no runs nothing.
func TestRunOnAllAsksFirst(t *testing.T) {
	env := fleetOf(t, 2)
	p := starts(t, env, terminal, "run", "--all", "--", "true")
	p.sees(`run on all 2 machines`)
	p.types("\r")
	p.sees(`orderly: not done`)
	p.ends(2)
	p = starts(t, env, nil, "invocation", "list")
	p.ends(0)
	if !strings.Contains(p.printed(), "no invocations: ") {
		t.Errorf("it shows\n%s\nwant no invocation", p.printed())
	}
	p = starts(t, env, terminal, "run", "--all", "--yes", "--", "true") // and nobody is asked
	p.ends(0)
}

// Ctrl-C asks: the command goes on, or is stopped.
func TestInterruptionAsksWhetherToStop(t *testing.T) {
	env := fleetOf(t, 3, "--delay", "1m")
	p := starts(t, env, terminal, "run", "--all", "--yes", "--", "true")
	p.sees(`3 running`)
	p.types("\x03")
	p.sees(`Stop t-\w+ on all machines, or detach and let it go on\? \[s/D\] `)
	p.types("\r")
	p.sees(`orderly: detached; the command goes on as t-\w+\r\n  look again: orderly results t-\w+`)
	p.ends(130)
	p = starts(t, env, terminal, "run", "--all", "--yes", "--", "true")
	p.sees(`running`)
	p.types("\x03")
	p.sees(`detach`)
	p.types("s\r")
	p.sees(`3 machines: (sim-\d+, ){2}sim-\d+: (Terminated|Cancelled)`)
	p.sees(`orderly: stopped`)
	p.ends(130)
}

// A thousand machines and more take no more lines, and few requests.
func TestManyMachinesStayReadable(t *testing.T) {
	env := fleetOf(t, 1200, "--delay", "3s")
	p := starts(t, env, terminal, "run", "--all", "--yes", "--", "true")
	p.sees(`\] \d+ of 1200\r\n`)
	p.ends(0)
	for frame := range strings.SplitSeq(p.printed(), "\x1b[J") {
		if lines := strings.Count(frame, "\n"); strings.Contains(frame, "of 1200") && lines > 4 {
			t.Errorf("%d lines are shown at once, want 4 at most:\n%s", lines, frame)
		}
	}
	p = starts(t, env, terminal, "instance", "list", "--watch=100ms")
	p.sees(`sim-\d+ .*\r\n(.*\r\n)+… \d+ more lines\r\n`)
	p.types("\x03")
	p.ends(130)
}

// A list that is watched stays where it is on a terminal.
func TestWatchedListIsDrawnAgain(t *testing.T) {
	env := fleetOf(t, 2)
	p := starts(t, env, terminal, "instance", "list", "--watch=50ms")
	p.sees(`NAME .*\r\nsim-00000 .*\r\nsim-00001 .*\r\n\x1b\[3A\r\x1b\[JNAME`)
	starts(t, env, nil, "instance", "rename", "sim-00001", "other").ends(0)
	p.sees(`\x1b\[JNAME .*\r\nother .*\r\nsim-00000 `)
	p.types("\x03")
	p.ends(130)
}

// No list is wider than the terminal. What reads a pipe, JSON or YAML gets all of it.
func TestListsFitTheTerminal(t *testing.T) {
	env := fleetOf(t, 2, "--name", "a-machine-with-a-name-that-is-longer-than-a-table-has-room-for")
	const script = "echo a script whose first line is rather long"
	starts(t, env, nil, "run", "--all", "--yes", "--schedule", "0 30 2 * * ? America/Argentina/Buenos_Aires", "--", script).ends(0)
	starts(t, env, nil, "run", "--all", "--yes", "--", script).ends(0)
	small := &pty.Winsize{Rows: 24, Cols: 80}
	for whole, list := range map[string][]string{
		"Argentina/Buenos_Aires": {"schedule", "list"}, "2 Success": {"invocation", "list", "-o", "wide"}, "room-for": {"instance", "list", "-o", "wide"},
	} {
		p := starts(t, env, small, list...)
		p.ends(0)
		for line := range strings.SplitSeq(p.printed(), "\r\n") {
			line = regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(line, "")
			if n := utf8.RuneCountInString(line); n > int(small.Cols) {
				t.Errorf("%v: %d characters in a row: %s", list, n, line)
			}
		}
		if !strings.Contains(p.printed(), "…") {
			t.Errorf("%v: nothing is cut:\n%s", list, p.printed())
		}
		p = starts(t, env, nil, list...)
		p.ends(0)
		if !strings.Contains(p.printed(), whole) {
			t.Errorf("%v into a pipe: no %q in\n%s", list, whole, p.printed())
		}
		p = starts(t, env, small, list[0], list[1], "-o", "json")
		p.ends(0)
		if strings.Contains(p.printed(), "…") || !json.Valid([]byte(p.printed())) {
			t.Errorf("%v as JSON:\n%s", list, p.printed())
		}
	}
}

// What cannot be undone is asked about, and an editor changes what is kept.
func TestTerminalAsksAndEdits(t *testing.T) {
	env := fleetOf(t, 1)
	starts(t, env, nil, "command", "create", "nap", "--", "sleep 1").ends(0)
	p := starts(t, append(env, `EDITOR=sed -i s/^Timeout:.*/Timeout:\x2090/`), terminal, "command", "edit", "nap")
	p.ends(0)
	p = starts(t, env, nil, "command", "show", "nap")
	p.ends(0)
	if !strings.Contains(p.printed(), "90 s") {
		t.Errorf("it shows\n%s\nwant the timeout that was edited", p.printed())
	}
	p = starts(t, append(env, "EDITOR=true"), terminal, "command", "edit", "nap")
	p.sees("nothing was changed")
	p.ends(0)
	p = starts(t, env, terminal, "command", "delete", "nap")
	p.sees(`delete nap \(c-\w+\)\? \[y/N\] `)
	p.types("y\r")
	p.sees(`deleted nap`)
	p.ends(0)
}
