package orderly_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

var (
	boot2 = orderly.Boot{Incarnation: "inc-1", ID: "boot-2"}
	inc2  = orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}
	both2 = orderly.Boot{Incarnation: "inc-2", ID: "boot-2"}
)

// HND-4 for what repeats: schedules follow the machine, and what runs at one boot only follows as long
// as it is known not to have run.
func TestScheduleMeetsItsAgent(t *testing.T) {
	idle := func() *orderly.Task { return told(of(period), period, held, ran(1, orderly.Success, 10, 12)) }
	running := func() *orderly.Task { return told(of(period), period, held, begun(1, 10)) }
	stopping := func() *orderly.Task {
		task := running()
		task.Stop(at(50), period, limit)
		return task
	}
	once := func(reports ...orderly.Report) *orderly.Task { return told(of(atBoot), atBoot, reports...) }
	stoppedOnce := func() *orderly.Task {
		task := once(held)
		task.Stop(at(50), atBoot, limit)
		return task
	}
	start := orderly.Report{Number: 2, State: orderly.Running, Started: at(10)}
	tests := []struct {
		name   string
		task   *orderly.Task
		p      orderly.Plan
		boot   orderly.Boot
		holds  bool
		want   orderly.Verdict
		state  orderly.State
		code   orderly.ErrorCode
		former string
	}{
		{"not confirmed, same boot", of(period), period, home, false, orderly.SendRun, orderly.Pending, "", ""},
		{"not confirmed, reinstalled", of(period), period, inc2, false, orderly.SendRun, orderly.Pending, "", "boot-1"},
		{"not confirmed, held", of(reboot), reboot, home, true, orderly.SendRun, orderly.Scheduled, "", ""},
		{"held", idle(), period, home, true, orderly.Wait, orderly.Scheduled, "", ""},
		{"held under another boot", idle(), period, boot2, true, orderly.Wait, orderly.Scheduled, "", ""},
		{"forgotten", idle(), period, home, false, orderly.SendRun, orderly.Scheduled, "", "boot-1"},
		{"rebooted, journal lost", idle(), period, both2, false, orderly.SendRun, orderly.Scheduled, "", "boot-1"},
		{"running, held under another boot", running(), period, boot2, true, orderly.Wait, orderly.Running, "", ""},
		{"running, reinstalled", running(), period, inc2, false, orderly.SendRun, orderly.Scheduled, orderly.ClientRestarted, "boot-1"},
		{"running, record lost", running(), period, boot2, false, orderly.SendRun, orderly.Scheduled, orderly.InstanceRestarted, "boot-1"},
		{"running, forgotten", running(), period, home, false, orderly.SendRun, orderly.Scheduled, orderly.ExecutionInterrupted, "boot-1"},
		{"stopping, held", stopping(), period, home, true, orderly.SendStop, orderly.Stopping, "", ""},
		{"stopping, unknown to the same boot", stopping(), period, home, false, orderly.SendStop, orderly.Stopping, "", ""},
		{"stopping, rebooted", stopping(), period, boot2, true, orderly.SendStop, orderly.Stopping, "", ""},
		{"stopping, reinstalled", stopping(), period, inc2, false, orderly.SendStop, orderly.Stopping, orderly.ClientRestarted, "boot-1"},
		{"next boot, rebooted", once(held), atBoot, boot2, true, orderly.Wait, orderly.Scheduled, "", ""},
		{"next boot, rebooted, record lost", once(held), atBoot, boot2, false, orderly.SendRun, orderly.Scheduled, "", "boot-1"},
		{"next boot, reinstalled", once(held), atBoot, inc2, false, orderly.TaskEnded, orderly.Error, orderly.ClientRestarted, ""},
		{"next boot, ran, rebooted", once(start), atBoot, boot2, false, orderly.TaskEnded, orderly.Error, orderly.InstanceRestarted, ""},
		{"next boot, ran, held", once(start), atBoot, boot2, true, orderly.Wait, orderly.Running, "", ""},
		{"next boot, stopping, rebooted", stoppedOnce(), atBoot, boot2, false, orderly.SendStop, orderly.Stopping, "", "boot-1"},
		{"next boot, stopping, reinstalled", stoppedOnce(), atBoot, both2, false, orderly.TaskEnded, orderly.Error, orderly.ClientRestarted, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.task.Meet(tt.boot, tt.holds, at(55), tt.p, limit)
			if v != tt.want || tt.task.State != tt.state || tt.task.ErrorCode != tt.code {
				t.Errorf("Meet = %d, %s, %q, want %d, %s, %q", v, tt.task.State, tt.task.ErrorCode, tt.want, tt.state, tt.code)
			}
			if tt.task.Former != tt.former || tt.task.State.Live() && tt.task.Handed != tt.boot {
				t.Errorf("handed to %+v, formerly to %q, want %+v and %q", tt.task.Handed, tt.task.Former, tt.boot, tt.former)
			}
			if tt.code != "" && tt.p == period && history(tt.task)[1].Code != tt.code {
				t.Errorf("history = %+v, want the run to end by %s", history(tt.task), tt.code)
			}
			if resent := tt.task.Sends == 1 && tt.task.Sent.Equal(at(55)) && tt.task.Due.Equal(at(56)); resent != (v == orderly.SendRun || v == orderly.SendStop) {
				t.Errorf("sent %d times, at %s, due at %s", tt.task.Sends, tt.task.Sent, tt.task.Due)
			}
		})
	}
}

// What was never handed goes to whoever comes, but no task after its delivery limit (SC-1, DLV-1).
func TestNewScheduleMeetsAnAgent(t *testing.T) {
	for _, c := range []struct {
		name   string
		p      orderly.Plan
		second float64
		want   orderly.Verdict
	}{
		{"period", period, 59, orderly.SendRun},
		{"period, too late", period, 60, orderly.Wait},
		{"reboot, a year later", reboot, 3e7, orderly.SendRun},
		{"next reboot, a year later", atBoot, 3e7, orderly.SendRun},
	} {
		for _, how := range []string{"hello", "due"} {
			task := orderly.NewTask(&orderly.Invocation{Repeat: c.p.Repeat}, 0, "mi-1", born)
			task.Await(c.p, limit)
			var v orderly.Verdict
			if how == "hello" {
				v = task.Meet(boot2, false, at(c.second), c.p, limit)
			} else {
				task.Due = at(c.second)
				there := linked
				there.Boot = boot2
				v = task.Fire(at(c.second), there, c.p, limit)
			}
			if v != c.want || task.Handed.Zero() != (v == orderly.Wait) {
				t.Errorf("%s, by %s: %d, handed to %v, want %d", c.name, how, v, task.Handed, c.want)
			}
		}
	}
}

// An agent that spoke of a task that was never handed has it (HND-1).
func TestSpokenOfTaskMeetsItsAgent(t *testing.T) {
	task := pending()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1)}, plan, limit, at(2))
	task.Stop(at(3), plan, limit)
	if v := task.Meet(home, true, at(4), plan, limit); v != orderly.SendStop || task.Handed != home {
		t.Errorf("Meet = %d, handed to %v, want SendStop, %v", v, task.Handed, home)
	}
}

// A schedule that waits for its time, or for a boot, is never looked at; an unanswered message is
// sent again while there is anybody to hear it (STOP-7).
func TestScheduleHasNoDeadline(t *testing.T) {
	if idle := told(of(period), period, held); !idle.Due.IsZero() {
		t.Errorf("confirmed: due at %s, want never", idle.Due)
	}
	stop := stopped0()
	unconfirmed := of(reboot)
	for name, c := range map[string]struct {
		task *orderly.Task
		p    orderly.Plan
		want orderly.Verdict
	}{"stopping": {stop, period, orderly.SendStop}, "reboot mode": {unconfirmed, reboot, orderly.SendRun}} {
		for i := range 6 {
			now := c.task.Due
			if v := c.task.Fire(now, linked, c.p, limit); v != c.want || !c.task.Due.After(now) {
				t.Fatalf("%s, sending %d: %d, due at %s, want %d", name, i, v, c.task.Due, c.want)
			}
		}
		if v := c.task.Fire(c.task.Due, away(60), c.p, limit); v != orderly.Wait || !c.task.Due.IsZero() || !c.task.State.Live() {
			t.Errorf("%s, link down: %d, due at %s, want Wait, never", name, v, c.task.Due)
		}
	}
}

// An agent that was away too long for a run leaves that run's outcome unknown; the schedule goes on (LATE-1).
func TestRunOfAnAbsentAgent(t *testing.T) {
	task := told(of(period), period, held, begun(1, 10))
	for task.State == orderly.Running {
		if task.Fire(task.Due, away(20), period, limit) == orderly.TaskEnded {
			t.Fatal("the task ended")
		}
	}
	due := at(10 + 60 + 60 + 2).Add(limit.LateResults)
	want := outcome{orderly.Scheduled, orderly.ExecutionInterrupted, at(10), time.Time{}, due, nil, 1}
	if diff := cmp.Diff(want, seen(task)); diff != "" || !task.Due.IsZero() {
		t.Errorf("due at %s (-want +got):\n%s", task.Due, diff)
	}
}

// MIA-7: a newer version is told until the agent says that it has it, by any report.
func TestModifiedScheduleIsToldAgain(t *testing.T) {
	task := told(of(period), period, held, ran(1, orderly.Success, 10, 12), begun(2, 40))
	if !task.Modify(1, at(50), period, limit) || task.Confirmed || !task.Due.Equal(at(51)) {
		t.Fatalf("confirmed = %t, due at %s, want it sent now and at %s", task.Confirmed, task.Due, at(51))
	}
	if v := task.Fire(at(51), linked, period, limit); v != orderly.SendRun {
		t.Errorf("Fire = %d, want SendRun", v)
	}
	task.Apply(ran(2, orderly.Success, 40, 52), period, limit, at(53)) // of the former version
	if task.Confirmed || task.State != orderly.Scheduled || !task.Due.Equal(at(54)) {
		t.Errorf("after a report of the former version: confirmed = %t, %s, due at %s", task.Confirmed, task.State, task.Due)
	}
	confirm := held
	confirm.Version = 1
	before := seen(task)
	if effect := task.Apply(confirm, period, limit, at(54)); effect != orderly.ReportApplied || !task.Confirmed || !task.Due.IsZero() {
		t.Errorf("effect %d, confirmed = %t, due at %s, want it confirmed", effect, task.Confirmed, task.Due)
	}
	if diff := cmp.Diff(before, seen(task)); diff != "" || task.Report != number(2, 1<<31) {
		t.Errorf("report %d; a confirmation changed (-before +after):\n%s", task.Report, diff)
	}
	if effect := task.Apply(confirm, period, limit, at(55)); effect != orderly.ReportRepeated {
		t.Errorf("again: effect %d, want ReportRepeated", effect)
	}
}

func TestModifyOfWhatWillNotRunAgain(t *testing.T) {
	running := told(of(atBoot), atBoot, orderly.Report{Number: 2, State: orderly.Running, Started: at(10)})
	for name, task := range map[string]*orderly.Task{"stopping": stopped0(), "ended": told(of(period), period, over(orderly.Invalid, "")), "runs once, now": running} {
		p := period
		if task == running {
			p = atBoot
		}
		before := *task
		if task.Modify(1, at(60), p, limit) || !cmp.Equal(before, *task) {
			t.Errorf("%s: changed (-before +after):\n%s", name, cmp.Diff(before, *task))
		}
	}
	task := orderly.NewTask(&orderly.Invocation{Repeat: orderly.EveryReboot}, 0, "mi-1", born)
	if task.Modify(1, at(60), reboot, limit) || task.Version != 1 {
		t.Errorf("not handed: version %d, want 1 and nothing to send", task.Version)
	}
}
