package survive_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/e2e/stage"
)

var errNotYet = errors.New("not yet")

func TestAgentKilledBeforeProcessStart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		lost := m.net.next(isRun, true)
		j := w.mustRun(quick, m)
		w.await("the hand-out", lost)
		m.kill()
		m.Launch()
		w.finish(m)
		w.once(j, m)
	})
}

func TestAgentKilledAfterProcessStart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(script{lasts: 20 * time.Second, tree: true}, m)
		w.awaitLine(j, m, "start")
		m.kill()
		m.Launch()
		w.finish(m)
		if k := w.task(j, m); k.State != orderly.Error || k.ErrorCode != orderly.ClientRestarted {
			t.Errorf("it is %s/%s, want Error/ClientRestarted", k.State, k.ErrorCode)
		}
		if w.ledger.count(pair{j.invoke, m.id()}, "end") != 0 {
			t.Error("it ran on to its end")
		}
	})
}

func TestAgentKilledBeforeReport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		lost := m.net.next(isEnd, true)
		j := w.mustRun(quick, m)
		w.await("the report", lost)
		m.kill()
		m.Launch()
		w.finish(m)
		w.once(j, m)
		if n := w.late(j); n != 0 {
			t.Errorf("%d late results, want none: it was reported in time", n)
		}
	})
}

func TestAgentKilledBeforeAcknowledge(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		m.net.loseEndAcks()
		j := w.mustRun(quick, m)
		w.awaitState(j, m, orderly.Success)
		m.kill()
		m.Launch()
		w.finish(m)
		w.once(j, m)
		if n := w.late(j); n != 0 {
			t.Errorf("%d late results, want none: the end was known already", n)
		}
	})
}

func TestNetworkAway(t *testing.T) {
	for name, cut := range map[string]func(*proxy){"cut": (*proxy).sever, "stalled": (*proxy).stall} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world) {
				m := w.begin()
				running, waiting := w.mustRun(slow, m), w.mustRun(slow, m)
				w.awaitLine(running, m, "start")
				w.awaitLine(waiting, m, "start")
				cut(m.net)
				away := w.mustRun(script{lines: 3, waits: true}, m)
				w.wait(outage)
				m.net.heal()
				w.finish(m)
				w.once(running, m)
				w.once(waiting, m)
				w.once(away, m)
			})
		})
	}
}

// LATE-1, LATE-2: an agent that was away for too long is not waited for any more, and what it
// brings is kept beside.
func TestNetworkAwayTooLong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(script{lasts: 5 * time.Second, exit: 7}, m)
		w.awaitState(j, m, orderly.Running)
		m.net.sever()
		if k := w.awaitState(j, m, orderly.Error); k.ErrorCode != orderly.ExecutionInterrupted {
			t.Errorf("it is %s, want %s", k.ErrorCode, orderly.ExecutionInterrupted)
		}
		w.leave(m.id()) // for so long
		w.finish(m)
		if n := w.late(j); n != 1 {
			t.Errorf("%d late results, want 1", n)
		}
		if k := w.task(j, m); k.State != orderly.Error {
			t.Errorf("the late result was applied: it is %s", k.State)
		}
		late := w.shownLate(j)
		if len(late) != 1 || late[0].InvokeId != j.invoke || late[0].InstanceId != m.id() || late[0].Repeats != 1 || late[0].ExitCode == nil {
			t.Fatalf("the API shows the late results %+v, want one of %s, with an exit code", late, m.id())
		}
		l := late[0]
		exit := int(*l.ExitCode)
		if problem := j.differs(orderly.State(l.InvocationStatus), &exit, []byte(l.Output), int64(len(l.Output))+l.Dropped); problem != "" {
			t.Error(problem)
		}
		if l.StartTime == "" || l.FinishedTime < l.StartTime || l.ReceivedTime < l.FinishedTime {
			t.Errorf("it started %q, finished %q and was received %q", l.StartTime, l.FinishedTime, l.ReceivedTime)
		}
	})
}

// HND-5: whatever meets what, a task that was cancelled never started, and one that was killed did
// and did not end.
func TestStopRacingStart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		var jobs []*job
		for i := range 12 {
			j := w.mustRun(script{lasts: time.Second, tree: true}, m)
			jobs = append(jobs, j)
			w.wait(time.Duration(i) * time.Millisecond / 2)
			w.stop(j)
		}
		for range 4 {
			j := w.mustRun(script{lasts: time.Second, tree: true}, m)
			jobs = append(jobs, j)
			w.awaitLine(j, m, "start")
			w.stop(j)
		}
		lost := m.net.next(isRun, true) // the stop overtakes the hand-out
		j := w.mustRun(quick, m)
		jobs = append(jobs, j)
		w.await("the hand-out", lost)
		w.stop(j)
		w.finish(m)
		for _, j := range jobs {
			k, p := w.task(j, m), pair{j.invoke, m.id()}
			starts, ends := w.ledger.count(p, "start"), w.ledger.count(p, "end")
			cancelled, killed := k.State == orderly.Cancelled && starts == 0, k.State == orderly.Terminated && ends == 0
			if ended := ends == 1; !cancelled && !killed && !ended {
				t.Errorf("%s started %d times, ended %d times and is %s/%s", j.invoke, starts, ends, k.State, k.ErrorCode)
			}
		}
	})
}

func TestAgentReinstalled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(script{lasts: 20 * time.Second}, m)
		w.awaitLine(j, m, "start")
		former := m.id()
		m.kill()
		w.note(forgot, former)
		w.leave(former)
		m.register(m.Name)
		m.Start()
		if m.id() == former {
			t.Fatal("it is the same instance")
		}
		again := w.mustRun(quick, m)
		w.finish(m)
		w.once(again, m)
		if k := w.task(j, &machine{instance: former}); k.State != orderly.Error || k.ErrorCode != orderly.ExecutionInterrupted {
			t.Errorf("what ran there is %s/%s, want Error/ExecutionInterrupted: nobody knows", k.State, k.ErrorCode)
		}
	})
}

// HND-4: another journal under the same identity is a new incarnation.
func TestJournalLost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		m := w.begin()
		j := w.mustRun(script{lasts: 5 * time.Second}, m)
		w.awaitLine(j, m, "start")
		m.net.lose(isRun) // however often it is sent
		unseen := w.mustRun(quick, m)
		m.kill()
		m.net.heal()
		m.forget()
		m.Launch()
		w.finish(m)
		for _, j := range []*job{j, unseen} {
			if k := w.task(j, m); k.State != orderly.Error || k.ErrorCode != orderly.ClientRestarted {
				t.Errorf("%s is %s/%s, want Error/ClientRestarted", j.invoke, k.State, k.ErrorCode)
			}
		}
		if w.ledger.count(pair{unseen.invoke, m.id()}, "start") != 0 {
			t.Error("what was handed to the former incarnation was started by the new one")
		}
	})
}

// Who holds an identity has to answer in a tenth of a second at the other stories' scale, which an
// agent on a busy machine may not.
func TestTwoAgentsWithOneIdentity(t *testing.T) {
	eachAt(t, 4, func(t *testing.T, w *world) {
		m := w.begin()
		w.succeeds(w.mustRun(quick, m), m)
		twin := m.Twin()
		w.reach(twin.Dir, m.net.url())
		twin.Launch()
		stage.Await(t, stage.Patience, "the twin is told that it is one", func() error {
			w.succeeds(w.mustRun(quick, m), m)
			if !bytes.Contains(twin.Log(), []byte("reason=duplicate")) {
				return errNotYet
			}
			return nil
		})
		if twin.Welcomes() != 0 {
			t.Error("the twin was welcome while the first was there")
		}
		j := w.mustRun(script{lasts: stage.Patience, tree: true}, m)
		w.awaitLine(j, m, "start")
		m.kill() // from now on the twin is the only one; it has the identity and cannot know the task
		twin.AwaitWelcome(0)
		w.awaitState(j, m, orderly.Error)
		w.succeeds(w.mustRun(quick, m), m)
		twin.Kill()
		w.finish(m)
	})
}

// succeeds is once for a job that is under way.
func (w *world) succeeds(j *job, m *machine) {
	w.t.Helper()
	w.awaitState(j, m, orderly.Success)
	w.once(j, m)
}
