package survive_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// begin starts a world with one machine, which is watched until the end of the story.
func (w *world) begin() *machine {
	w.t.Helper()
	w.watch()
	return w.machines(1)[0]
}

// finish mends what is broken and judges.
func (w *world) finish(machines ...*machine) {
	w.t.Helper()
	r := round{world: w, machines: machines}
	r.mend()
	w.settle(w.t)
}

// await waits for something that must come.
func (w *world) await(what string, event <-chan struct{}) {
	w.t.Helper()
	select {
	case <-event:
	case <-time.After(stage.Patience):
		w.t.Fatalf("not in %v: %s", stage.Patience, what)
	}
}

// awaitLine waits until a job has written something on a machine.
func (w *world) awaitLine(j *job, m *machine, what string) {
	w.t.Helper()
	stage.Await(w.t, stage.Patience, j.invoke+" writes "+what, func() error {
		if w.ledger.count(pair{j.invoke, m.id()}, what) == 0 {
			return errNotYet
		}
		return nil
	})
}

// task is the share of a machine in a job, as it is in the database.
func (w *world) task(j *job, m *machine) orderly.Task {
	w.t.Helper()
	r, ok, err := w.read(w.t.Context(), j.invoke)
	if err != nil || !ok {
		w.t.Fatalf("%s is not in the database (%v)", j.invoke, err)
	}
	for _, k := range r.tasks {
		if k.Instance == m.id() {
			return k
		}
	}
	w.t.Fatalf("%s has no task on %s", j.invoke, m.id())
	return orderly.Task{}
}

// awaitState waits until a task is in a state.
func (w *world) awaitState(j *job, m *machine, want orderly.State) orderly.Task {
	w.t.Helper()
	var k orderly.Task
	stage.Await(w.t, stage.Patience, j.invoke+" is "+string(want), func() error {
		if k = w.task(j, m); k.State != want {
			return fmt.Errorf("it is %s/%s", k.State, k.ErrorCode)
		}
		return nil
	})
	return k
}

// once checks that a job ran once, to its end, and that this is its result.
func (w *world) once(j *job, m *machine) {
	w.t.Helper()
	stage.Await(w.t, stage.Patience, "all lines are read", w.ledger.behind)
	p := pair{j.invoke, m.id()}
	if starts, ends := w.ledger.count(p, "start"), w.ledger.count(p, "end"); starts != 1 || ends != 1 {
		w.t.Errorf("%s started %d times and ended %d times, want once each", j.invoke, starts, ends)
	}
	k := w.task(j, m)
	if problem := j.differs(k.State, k.ExitCode, k.Output, k.Total); problem != "" {
		w.t.Errorf("%s: %s", j.invoke, problem)
	}
}

// late is how many late results a job has.
func (w *world) late(j *job) int {
	w.t.Helper()
	r, _, err := w.read(w.t.Context(), j.invoke)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, l := range r.late {
		n += len(l)
	}
	return n
}

// shownLate are the late results of a job as the API shows them.
func (w *world) shownLate(j *job) []client.LateResult {
	w.t.Helper()
	list, err := w.server.API.DescribeLateResults(w.t.Context(), client.DescribeLateResultsRequest{InvokeId: j.invoke})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestServerKilledAfterAccept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(quick, m)
		w.restart(0)
		w.finish(m)
		w.once(j, m)
	})
}

func TestServerKilledBeforeHandOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		lost := m.net.next(isRun, true)
		j := w.mustRun(quick, m)
		w.await("the hand-out", lost)
		w.restart(0)
		w.finish(m)
		w.once(j, m)
	})
}

// HND-4: nobody is killed here; a message alone is lost.
func TestHandOutLost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		lost := m.net.next(isRun, true)
		j := w.mustRun(quick, m)
		w.await("the hand-out", lost)
		w.succeeds(j, m)
		w.finish(m)
	})
}

func TestStopLost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(script{lasts: stage.Patience, tree: true}, m)
		w.awaitLine(j, m, "start")
		lost := m.net.next(isStop, true)
		w.stop(j)
		w.await("the stop", lost)
		w.awaitState(j, m, orderly.Terminated)
		w.finish(m)
	})
}

func TestServerKilledAfterHandOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(slow, m)
		w.awaitLine(j, m, "start")
		w.restart(0)
		w.finish(m)
		w.once(j, m)
	})
}

func TestServerAwayWhileItEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(slow, m)
		w.awaitLine(j, m, "start")
		w.server.Kill()
		w.awaitLine(j, m, "end")
		w.server.Start()
		w.finish(m)
		w.once(j, m)
	})
}

func TestServerKilledBeforeReport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		lost := m.net.next(isEnd, true)
		j := w.mustRun(quick, m)
		w.await("the report", lost)
		w.restart(0)
		w.finish(m)
		w.once(j, m)
		if n := w.late(j); n != 0 {
			t.Errorf("%d late results, want none: it was reported in time", n)
		}
	})
}

func TestServerKilledBetweenReportAndAcknowledge(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		acknowledged := m.net.loseEndAcks()
		j := w.mustRun(quick, m)
		w.awaitState(j, m, orderly.Success)
		w.await("the acknowledgement", acknowledged) // or it could come through once it is not lost any more
		w.server.Kill()
		again := m.net.next(isEnd, false) // before a server is there that it could come to
		w.server.Start()
		w.await("the report again", again)
		w.finish(m)
		w.once(j, m)
		if n := w.late(j); n != 0 {
			t.Errorf("%d late results, want none: the end was known already", n)
		}
	})
}
