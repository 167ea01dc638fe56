package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// A machine on which time is that of a bubble: an agent without a bus, whose reports the test takes
// from it. Scripts are real processes, which take no time there.
type fake struct {
	t     *testing.T
	dir   string
	boot  string
	up    time.Duration // how long ago the boot was when the agent starts
	agent *Agent        // nil while it is down
	quit  chan struct{}
	over  chan error
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, dir: t.TempDir(), boot: "boot-1", up: time.Hour}
}

// start starts the agent. Its server is away until it is welcome.
func (f *fake) start(change ...func(*Config)) {
	f.t.Helper()
	c := Config{Dir: f.dir, Boot: f.boot, Uptime: f.up}.withDefaults()
	for _, set := range change {
		set(&c)
	}
	j, err := OpenJournal(filepath.Join(f.dir, "journal"), f.boot)
	if err != nil {
		f.t.Fatal(err)
	}
	f.agent = &Agent{
		cfg: c, log: c.Log, boot: f.boot, made: time.Now(), journal: j, events: make(chan func()), over: make(chan struct{}),
		tasks: map[Occurrence]*task{}, active: map[Occurrence]*task{}, reports: reports{queued: map[Occurrence]bool{}},
	}
	f.agent.uplink.conn = &connection{}
	if err := os.MkdirAll(f.agent.workDir(), 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.quit, f.over = make(chan struct{}), make(chan error, 1)
	f.agent.takeOver()
	go func() { f.over <- f.agent.serve(f.quit) }()
	synctest.Wait()
}

// stop ends the agent. Nobody gets its last reports.
func (f *fake) stop() {
	f.t.Helper()
	f.do(func(a *Agent) { a.uplink.welcome = false })
	close(f.quit)
	if err := <-f.over; err != nil {
		f.t.Fatal(err)
	}
	close(f.agent.over)
	if err := f.agent.journal.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.agent = nil
	synctest.Wait()
}

// do has something done by the agent, and waits for what comes of it at once.
func (f *fake) do(what func(*Agent)) {
	f.t.Helper()
	done := make(chan struct{})
	f.agent.post(func() { what(f.agent); close(done) })
	<-done
	synctest.Wait()
}

// sleep lets time pass.
func (f *fake) sleep(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// told is all that the agent has to tell, acknowledged, in short.
func (f *fake) told() (all []string) {
	f.t.Helper()
	f.do(func(a *Agent) {
		a.uplink.welcome = true
		a.sendReports()
		for last := map[orderly.TaskKey]int64{}; a.reports.flight != nil; {
			for _, it := range a.reports.flight.items {
				all = append(all, short(it))
				if it.Number < last[it.TaskKey] && it.State != orderly.Pending {
					f.t.Errorf("%s has number %d after %d", short(it), it.Number, last[it.TaskKey])
				}
				last[it.TaskKey] = max(last[it.TaskKey], it.Number)
			}
			a.acknowledged(a.reports.number)
		}
	})
	return all
}

// short is a snapshot as tests write it: run, state, code, output, version, and ! for the last.
func short(it item) string {
	text := fmt.Sprint(it.Run, " ", it.State)
	if it.Run == wire.OverRun {
		text = fmt.Sprint("over ", it.State)
	}
	for _, part := range []string{string(it.Code), strings.TrimSpace(string(it.Output))} {
		if part != "" {
			text += " " + part
		}
	}
	if it.Version > 0 {
		text += fmt.Sprint(" v", it.Version)
	}
	if it.Last {
		text += " !"
	}
	return text
}

func (f *fake) expect(when string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.told()); diff != "" {
		f.t.Errorf("%s told (-want +got):\n%s", when, diff)
	}
}
