//go:build unix

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// hand hands a schedule over.
func (f *fake) hand(seq int64, p wire.Plan, script string, change ...func(*wire.Run, *wire.Job)) {
	f.t.Helper()
	job := wire.Job{InvokeID: fmt.Sprint("t-", seq), Type: orderly.RunShellScript, Content: []byte(script), WorkingDir: f.dir}
	r := wire.Run{TaskKey: orderly.TaskKey{Invocation: seq}, Incarnation: f.agent.journal.Incarnation(), Boot: f.boot, Plan: &p}
	for _, set := range change {
		set(&r, &job)
	}
	if r.Job == nil {
		r.Job = wire.Encode(job)
	}
	f.do(func(a *Agent) {
		a.uplink.welcome, a.uplink.admitted = true, true
		a.receiveRun(arrival{&r, time.Now()})
	})
}

func (f *fake) ref(seq int64) *wire.TaskRef {
	return &wire.TaskRef{TaskKey: orderly.TaskKey{Invocation: seq}, Incarnation: f.agent.journal.Incarnation(), Boot: f.boot}
}

// send sends a message.
func (f *fake) send(m wire.ToAgent) {
	f.t.Helper()
	f.do(func(a *Agent) {
		a.uplink.welcome = true
		a.receive(&m, time.Now())
	})
}

// log is what the scripts have written to the file log, a line each.
func (f *fake) log() []string {
	data, err := os.ReadFile(filepath.Join(f.dir, "log"))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// starts is when the runs of a schedule began that wait to be told of, as seconds since from.
func (f *fake) starts(seq int64, from time.Time) (all []int64) {
	f.t.Helper()
	f.do(func(a *Agent) {
		for _, j := range a.journal.Tasks() {
			if j.Key.Invocation == seq && j.Key.Run > 0 && j.Phase == Ended {
				all = append(all, a.readOutcome(a.tasks[j.Key]).Started-from.UnixMilli())
			}
		}
	})
	for i := range all {
		all[i] /= 1000
	}
	return all
}
