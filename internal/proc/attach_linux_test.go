package proc_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/proc"
)

// A host is another program that starts processes for us, and alone can wait for them.
type host struct {
	cmd *exec.Cmd
	out *os.File
}

// hosted has a shell started with a mark.
func hosted(t *testing.T, mark, script string) host {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), proc.MarkVariable(mark))
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); r.Close() })
	return host{cmd, r}
}

// code is what the host tells of the end.
func (h host) code() (int, bool) {
	_ = h.cmd.Wait()
	if s := h.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return 128 + int(s.Signal()), true
	}
	return h.cmd.ProcessState.ExitCode(), true
}

func (h host) guest() proc.Guest {
	return proc.Guest{PID: h.cmd.Process.Pid, Output: h.out, Code: h.code}
}

func TestGuestsAreLookedAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		spec   proc.Spec
		stop   bool
		want   proc.Result
		output string
	}{
		"by itself":    {"echo ready; sleep 0.05; exit 3", proc.Spec{}, false, proc.Result{ExitCode: 3, HasCode: true}, "ready\n"},
		"stopped":      {"echo ready; sleep 100", proc.Spec{KillTree: true, Grace: 5 * time.Second}, true, proc.Result{ExitCode: 143, HasCode: true, Stopped: true}, "ready\n"},
		"killed":       {"trap '' TERM; echo ready; while true; do sleep 0.01; done", proc.Spec{Grace: 50 * time.Millisecond}, true, proc.Result{ExitCode: 137, HasCode: true, Stopped: true}, "ready\n"},
		"killed whole": {"trap '' TERM; setsid sleep 101 & echo ready; wait; sleep 102", proc.Spec{KillTree: true, Grace: 50 * time.Millisecond}, true, proc.Result{ExitCode: 137, HasCode: true, Stopped: true}, "ready\n"},
		"out of time":  {"echo ready; sleep 100", proc.Spec{KillTree: true, Timeout: 200 * time.Millisecond}, false, proc.Result{ExitCode: 137, HasCode: true, TimedOut: true}, "ready\n"},
	} {
		t.Run(name, func(t *testing.T) {
			mark := "guest-" + strings.ReplaceAll(name, " ", "-")
			h := hosted(t, mark, tt.script)
			tt.spec.Mark = mark
			p, err := proc.Attach(tt.spec, h.guest())
			if err != nil {
				t.Fatal(err)
			}
			if p.PID() != h.cmd.Process.Pid || p.StartTime() == 0 {
				t.Errorf("process %d, started at %d; want %d", p.PID(), p.StartTime(), h.cmd.Process.Pid)
			}
			if tt.stop {
				await(t, "its output", func() bool { return p.Written() > 0 })
				p.Stop()
			}
			got := p.Wait()
			output, _ := p.Output()
			if got.Err != nil || got.ExitCode != tt.want.ExitCode || got.HasCode != tt.want.HasCode || got.Stopped != tt.want.Stopped || got.TimedOut != tt.want.TimedOut || string(output) != tt.output {
				t.Errorf("%+v with %q, want %+v with %q", got, output, tt.want, tt.output)
			}
			if pid, _, found := proc.Find(mark); found {
				t.Errorf("process %d is left", pid)
			}
		})
	}
}

// await waits for something to become true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// Nobody is taken for a guest who is not one: it could be killed.
func TestStrangersAreNotAttachedTo(t *testing.T) {
	h := hosted(t, "one", "sleep 100")
	if _, err := proc.Attach(proc.Spec{Mark: "two"}, h.guest()); !errors.Is(err, proc.ErrForeign) {
		t.Errorf("another mark: %v, want ErrForeign", err)
	}
	if _, err := proc.Attach(proc.Spec{Mark: "one"}, proc.Guest{PID: 1}); !errors.Is(err, proc.ErrForeign) {
		t.Errorf("the first process: %v, want ErrForeign", err)
	}
}

// One that has ended before anybody looked has its output and its code all the same, and a stop does nothing.
func TestGuestsThatHaveGone(t *testing.T) {
	gone := hosted(t, "gone", "exit 4")
	_, _ = gone.code()
	for name, pid := range map[string]int{"unknown": 0, "known": gone.cmd.Process.Pid} {
		g := proc.Guest{PID: pid, Output: io.NopCloser(strings.NewReader("all")), Code: func() (int, bool) { return 4, true }}
		p, err := proc.Attach(proc.Spec{Mark: "gone", KillTree: true}, g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p.Stop()
		r := p.Wait()
		if output, total := p.Output(); p.PID() != 0 || r.ExitCode != 4 || !r.HasCode || r.Stopped || r.Err != nil || string(output) != "all" || total != 3 {
			t.Errorf("%s: process %d, %+v, %q", name, p.PID(), r, output)
		}
	}
	silent := proc.Guest{Output: io.NopCloser(strings.NewReader("")), Code: func() (int, bool) { return 0, false }}
	p, err := proc.Attach(proc.Spec{Mark: "gone"}, silent)
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Wait(); r.HasCode {
		t.Errorf("%+v, want no code", r)
	}
}
