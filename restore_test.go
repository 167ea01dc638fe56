package orderly_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

// Of a task of before the store was restored nothing is sent to anybody who has not said that he has it, whatever
// happens; one that runs once is never sent again at all. Whoever does not have it ends it, as unknown.
func TestTaskOfAnOlderGenerationIsAskedAbout(t *testing.T) { // design 2b rule 18
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]orderly.Plan{plan, plan, period, reboot, atBoot}).Draw(t, "mode")
		task := orderly.NewTask(&orderly.Invocation{Seq: 7, Repeat: p.Repeat}, 0, "mi-1", born)
		x := &life{&task, p, map[int]orderly.Run{}}
		x.Await(p, limit)
		now := born
		step := func() time.Time {
			now = now.Add(time.Duration(rapid.IntRange(0, 100000).Draw(t, "later")) * time.Millisecond)
			return now
		}
		for range rapid.IntRange(0, 10).Draw(t, "events before the backup") {
			x.happen(t, step())
			x.keep(t)
		}
		if x.State.Live() {
			x.Doubt(step())
			x.goOn(t, step)
		}
	})
}

// goOn lets anything happen to a task that is asked about.
func (x *life) goOn(t *rapid.T, step func() time.Time) {
	has := false // somebody has said that he has it
	for range rapid.IntRange(1, 20).Draw(t, "events") {
		now, v := step(), orderly.Wait
		c := contact(t, now)
		switch rapid.SampledFrom([]string{"meet", "fire", "fire", "stop", "modify", "report"}).Draw(t, "event") {
		case "meet":
			holds, live := rapid.Bool().Draw(t, "holds"), x.State.Live()
			v = x.Meet(c.Boot, holds, now, x.plan, limit)
			if live && !has && !holds && (x.State != orderly.Error || x.ErrorCode != orderly.ExecutionInterrupted) {
				t.Fatalf("nobody has it: %s %q, want an unknown outcome", x.State, x.ErrorCode)
			}
			has = has || holds
		case "fire":
			v = x.Fire(now, c, x.plan, limit)
		case "stop":
			x.Stop(now, x.plan, limit)
		case "modify":
			if x.plan.Repeat.Repeats() && x.Modify(x.Version+1, now, x.plan, limit) {
				v = orderly.SendRun
			}
		case "report":
			x.report(t, now)
		}
		x.keep(t)
		x.check(t)
		switch {
		case !has && (v == orderly.SendRun || v == orderly.SendStop || v == orderly.SendAsk):
			t.Fatalf("verdict %d before anybody has said that he has it", v)
		case v == orderly.SendRun && !x.plan.Repeat.Repeats():
			t.Fatal("it is sent again")
		case !has && x.State.Live() && x.Handed != orderly.Past:
			t.Fatalf("handed to %v", x.Handed)
		}
	}
}

// What becomes of a task when its agent comes, wherever the row stood.
func TestDoubtedTaskMeetsItsAgent(t *testing.T) {
	idle := func() *orderly.Task { return told(of(period), period, held, ran(1, orderly.Success, 10, 12)) }
	open := func() *orderly.Task { return told(of(period), period, held, begun(1, 10)) }
	stoppedPeriod := func() *orderly.Task {
		task := idle()
		task.Stop(at(50), period, limit)
		return task
	}
	for name, c := range map[string]struct {
		task  *orderly.Task
		p     orderly.Plan
		holds bool
		want  orderly.Verdict
		state orderly.State
	}{
		"never handed, unknown":         {pending(), plan, false, orderly.TaskEnded, orderly.Error},
		"never handed, held":            {pending(), plan, true, orderly.Wait, orderly.Pending},
		"handed, unknown":               {handed(), plan, false, orderly.TaskEnded, orderly.Error},
		"handed, held":                  {handed(), plan, true, orderly.Wait, orderly.Pending},
		"running, unknown":              {started(), plan, false, orderly.TaskEnded, orderly.Error},
		"running, held":                 {started(), plan, true, orderly.Wait, orderly.Running},
		"stopping, unknown":             {stopping(), plan, false, orderly.TaskEnded, orderly.Error},
		"stopping, held":                {stopping(), plan, true, orderly.SendStop, orderly.Stopping},
		"schedule, never held, unknown": {of(period), period, false, orderly.TaskEnded, orderly.Error},
		"schedule, unknown":             {idle(), period, false, orderly.TaskEnded, orderly.Error},
		"schedule, held":                {idle(), period, true, orderly.Wait, orderly.Scheduled},
		"schedule in a run, unknown":    {open(), period, false, orderly.TaskEnded, orderly.Error},
		"schedule in a run, held":       {open(), period, true, orderly.Wait, orderly.Scheduled},
		"schedule, stopping, unknown":   {stoppedPeriod(), period, false, orderly.TaskEnded, orderly.Error},
		"schedule, stopping, held":      {stoppedPeriod(), period, true, orderly.SendStop, orderly.Stopping},
		"next boot, unknown":            {of(atBoot), atBoot, false, orderly.TaskEnded, orderly.Error},
		"next boot, held":               {of(atBoot), atBoot, true, orderly.Wait, orderly.Scheduled},
	} {
		c.task.Doubt(at(96))
		v := c.task.Meet(home, c.holds, at(97), c.p, limit)
		if v != c.want || c.task.State != c.state || c.state == orderly.Error && c.task.ErrorCode != orderly.ExecutionInterrupted {
			t.Errorf("%s: %d, %s %q, want %d, %s", name, v, c.task.State, c.task.ErrorCode, c.want, c.state)
		}
		if c.holds && c.task.Handed != home {
			t.Errorf("%s: handed to %v, want %v", name, c.task.Handed, home)
		}
	}
}

// A schedule that its agent has is brought to the version of the row, which is never that of a lost modification.
func TestDoubtedScheduleIsToldItsVersion(t *testing.T) {
	task := told(of(period), period, held)
	task.Doubt(at(96))
	if task.Modify(5, at(97), period, limit) {
		t.Error("it is sent before anybody has said that he has it")
	}
	if v := task.Meet(home, true, at(98), period, limit); v != orderly.SendRun || task.Version != 5 {
		t.Errorf("Meet = %d with version %d, want it told of version 5", v, task.Version)
	}
}

// The end of a kept task counts as ever, and who never comes leaves the outcome unknown.
func TestDoubtedTaskEnds(t *testing.T) {
	task := pending()
	task.Doubt(at(1000))
	task.Meet(home, true, at(1001), plan, limit)
	r := withExit(ended(orderly.Success), 0)
	if effect := task.Apply(r, plan, limit, at(1002)); effect != orderly.ReportApplied || task.State != orderly.Success {
		t.Errorf("effect %d, %s, want its success applied", effect, task.State)
	}
	for name, task := range map[string]*orderly.Task{"pending": pending(), "running": started(), "stopping": stopping()} {
		task.Doubt(at(1000))
		up := away(1100) // the server started then
		for task.State.Live() {
			if task.Due.IsZero() || task.Due.After(at(5000)) {
				t.Fatalf("%s: due at %s", name, task.Due)
			}
			task.Fire(task.Due, up, plan, limit)
		}
		want := at(1100).Add(limit.LateResults)
		if task.State != orderly.Error || task.ErrorCode != orderly.ExecutionInterrupted || !task.Finished.Equal(want) {
			t.Errorf("%s: %s %q at %s, want an unknown outcome at %s", name, task.State, task.ErrorCode, task.Finished, want)
		}
	}
	over := handed()
	over.Apply(r, plan, limit, at(6))
	if over.Doubt(at(1000)); over.State != orderly.Success || over.Handed != home {
		t.Errorf("an ended task is %s, handed to %v", over.State, over.Handed)
	}
}
