package orderly_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

// away is an agent whose link broke at second s.
func away(s float64) orderly.Contact { return orderly.Contact{Boot: home, Since: at(s)} }

// back is an agent whose link came back at second s.
func back(s float64) orderly.Contact {
	return orderly.Contact{Up: true, Boot: home, Since: at(s), Seen: at(1e6), Fresh: true}
}

func TestUndeliveredTask(t *testing.T) { // T4, AB-2
	tests := []struct {
		name    string
		contact orderly.Contact
		want    orderly.ErrorCode
	}{
		{"no heartbeat ever", orderly.Contact{}, orderly.ClientNotRunning},
		{"heartbeat is old, push channel open", orderly.Contact{Up: true}, orderly.ClientNotResponse},
		{"link lost, heartbeat fresh", orderly.Contact{Fresh: true}, orderly.ClientNotOnline},
		{"alive", orderly.Contact{Up: true, Fresh: true}, orderly.DeliveryTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := pending()
			if !task.Due.Equal(at(62)) {
				t.Fatalf("due at %s, want %s", task.Due, at(62))
			}
			if v := task.Fire(at(61.999), tt.contact, plan, limit); v != orderly.Wait || !task.Due.Equal(at(62)) {
				t.Fatalf("before its due time: %v, due at %s, want Wait, due at %s", v, task.Due, at(62)) // CLK-2
			}
			if v := task.Fire(at(62), tt.contact, plan, limit); v != orderly.TaskEnded {
				t.Fatalf("Fire = %v, want TaskEnded", v)
			}
			want := outcome{State: orderly.Aborted, Code: tt.want, Finished: at(60)}
			if diff := cmp.Diff(want, seen(task)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A task that fell due with nobody to hand it to yet goes to the link that is there by now (HND-1);
// when its delivery limit is over it does not.
func TestDueTaskIsHandedToTheLinkThereIs(t *testing.T) {
	task := pending()
	if v := task.Fire(at(1), away(0), plan, limit); v != orderly.Wait || !task.Handed.Zero() || !task.Due.Equal(at(62)) {
		t.Errorf("without a link: %v, handed to %v, due at %s", v, task.Handed, task.Due)
	}
	if v := task.Fire(at(59), linked, plan, limit); v != orderly.SendRun || task.Handed != home || task.Sends != 1 || !task.Due.Equal(at(60)) {
		t.Errorf("with a link: %v, handed to %v, sent %d times, due at %s", v, task.Handed, task.Sends, task.Due)
	}
	late := pending()
	if v := late.Fire(at(60), linked, plan, limit); v != orderly.Wait || !late.Handed.Zero() {
		t.Errorf("when its limit is over: %v, handed to %v", v, late.Handed)
	}
}

func TestUnconfirmedHandOutIsSentAgain(t *testing.T) { // HND-4
	task := handed()
	long := plan
	long.Delivery = time.Hour
	for i, s := range []float64{1, 4, 13, 40, 67, 94} {
		if !task.Due.Equal(at(s)) {
			t.Fatalf("sending %d is due at %s, want %s", i+2, task.Due, at(s))
		}
		if v := task.Fire(task.Due, linked, long, limit); v != orderly.SendRun {
			t.Fatalf("sending %d: %v, want SendRun", i+2, v)
		}
	}
	task.Apply(orderly.Report{Number: 1, State: orderly.Pending}, long, limit, at(95))
	if v := task.Fire(at(121), linked, long, limit); v != orderly.Wait {
		t.Errorf("an accepted task: %v, want Wait", v)
	}
}

// A message that went out of its turn, after a hello, starts the row of repetitions anew (HND-4).
func TestResentStartsAnew(t *testing.T) {
	task := handed()
	task.Fire(at(1), linked, plan, limit)
	task.Fire(at(4), away(2), plan, limit)
	task.Resent(at(20), plan, limit)
	if !task.Due.Equal(at(21)) {
		t.Errorf("due at %s, want %s", task.Due, at(21))
	}
	if v := task.Fire(at(21), linked, plan, limit); v != orderly.SendRun || !task.Due.Equal(at(24)) {
		t.Errorf("Fire = %v, due at %s, want SendRun, due at %s", v, task.Due, at(24))
	}
}

// A hand-out is never sent to another boot than its own, nor to nobody (HND-4).
func TestHandOutIsForOneBoot(t *testing.T) {
	other := linked
	other.Boot.ID = "boot-2"
	for name, c := range map[string]orderly.Contact{"away": away(0), "another boot": other} {
		task := handed()
		for range 5 {
			now := task.Due
			if now.After(at(60)) {
				break
			}
			if v := task.Fire(now, c, plan, limit); v != orderly.Wait || !task.Due.After(now) {
				t.Fatalf("%s: %v at %s, due at %s, want Wait for a later time", name, v, now, task.Due)
			}
		}
		if task.Sends != 1 {
			t.Errorf("%s: sent %d times, want once", name, task.Sends)
		}
	}
}

// unanswered is a handed task whose delivery limit passed at second 62 while its agent was there.
func unanswered(t *testing.T) *orderly.Task {
	t.Helper()
	task := handed()
	if v := task.Fire(at(62), linked, plan, limit); v != orderly.SendAsk || !task.Asked.Equal(at(62)) {
		t.Fatalf("at the delivery limit: %v, asked at %s, want SendAsk", v, task.Asked)
	}
	return task
}

func TestAgentIsAskedAtTheDeliveryLimit(t *testing.T) { // AB-1
	task := unanswered(t)
	if v := task.Fire(task.Due, linked, plan, limit); v != orderly.SendAsk {
		t.Errorf("no answer yet: %v, want SendAsk again", v)
	}
	task.Apply(never(orderly.Aborted, ""), plan, limit, at(64))
	if want := (outcome{State: orderly.Aborted, Code: orderly.DeliveryTimeout, Finished: at(60)}); !cmp.Equal(want, seen(task)) {
		t.Errorf("never started: (-want +got):\n%s", cmp.Diff(want, seen(task)))
	}

	task = unanswered(t)
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(50)}, plan, limit, at(64))
	if task.State != orderly.Running {
		t.Errorf("it had started: %s, want Running", task.State)
	}

	task = unanswered(t)
	if v := task.Fire(at(124), linked, plan, limit); v != orderly.TaskEnded {
		t.Errorf("no answer within 60 s: %v, want TaskEnded", v)
	}
	if want := (outcome{State: orderly.Error, Code: orderly.ExecutionInterrupted, Finished: at(122)}); !cmp.Equal(want, seen(task)) {
		t.Errorf("no answer within 60 s: (-want +got):\n%s", cmp.Diff(want, seen(task)))
	}
}

func TestAcceptedTaskHasNoDeadlineWhileLinked(t *testing.T) { // AB-1, ST-2
	task := handed()
	task.Apply(orderly.Report{Number: 1, State: orderly.Pending}, plan, limit, at(1))
	now := at(1)
	for now.Before(at(86400)) {
		now = task.Due
		if v := task.Fire(now, linked, plan, limit); v != orderly.Wait || !task.Due.After(now) {
			t.Fatalf("at %s: %v, due at %s, want Wait for a later time", now, v, task.Due)
		}
	}
	gone := away(90000)
	if v := task.Fire(at(90000+899), gone, plan, limit); v != orderly.Wait || !task.Due.Equal(at(90900)) {
		t.Errorf("away for 899 s: %v, due at %s, want Wait until %s", v, task.Due, at(90900))
	}
	if v := task.Fire(at(90900), gone, plan, limit); v != orderly.TaskEnded {
		t.Errorf("away for 15 min: %v, want TaskEnded", v)
	}
	if want := (outcome{State: orderly.Error, Code: orderly.ExecutionInterrupted, Finished: at(90900)}); !cmp.Equal(want, seen(task)) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, seen(task)))
	}
}

func TestServiceEndsARunWithoutReport(t *testing.T) { // TO-1
	task := started()
	if !task.Due.Equal(at(1 + 60 + 60 + 2)) {
		t.Fatalf("due at %s, want %s", task.Due, at(123))
	}
	if v := task.Fire(at(122.999), linked, plan, limit); v != orderly.Wait || task.State != orderly.Running {
		t.Errorf("before it is due: %v, %s", v, task.State)
	}
	if v := task.Fire(at(123), linked, plan, limit); v != orderly.TaskEnded {
		t.Errorf("when it is due: %v, want TaskEnded", v)
	}
	want := outcome{State: orderly.Timeout, Code: orderly.ExecutionTimeout, Started: at(1), Finished: at(61), Repeats: 1}
	if diff := cmp.Diff(want, seen(task)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The run of started() is due at second 123, a stop of stopping() at second 72; the 60 s before it
// must have been without a break.
func TestAbsentAgentIsWaitedFor(t *testing.T) { // LATE-1
	run := func(*testing.T) *orderly.Task { return started() }
	stop := func(*testing.T) *orderly.Task { return stopping() }
	tests := []struct {
		name string
		task func(*testing.T) *orderly.Task
		due  float64
		c    orderly.Contact
		wait float64 // until when, 0 for not at all
		want orderly.State
	}{
		{"run, linked just long enough", run, 123, back(63), 0, orderly.Timeout},
		{"run, link came back 59.9 s before", run, 123, back(63.1), 123.1, orderly.Error},
		{"run, link came back 1 s before", run, 123, back(122), 182, orderly.Error},
		{"run, away", run, 123, away(10), 183, orderly.Error},
		{"stop, linked just long enough", stop, 72, back(12), 0, orderly.Error},
		{"stop, link came back after it", stop, 72, back(13), 73, orderly.Error},
		{"stop, away", stop, 72, away(10), 132, orderly.Error},
		{"asked, linked", unanswered, 124, back(64), 0, orderly.Error},
		{"asked, link came back 1 s before", unanswered, 124, back(123), 183, orderly.Error},
		{"asked, away", unanswered, 124, away(70), 184, orderly.Error},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := tt.task(t)
			v := task.Fire(at(tt.due), tt.c, plan, limit)
			if tt.wait == 0 {
				if v != orderly.TaskEnded || task.State != tt.want {
					t.Errorf("Fire = %v, %s, want TaskEnded, %s", v, task.State, tt.want)
				}
				return
			}
			if v != orderly.Wait || !task.Due.Equal(at(tt.wait)) {
				t.Fatalf("Fire = %v, due at %s, want Wait until %s", v, task.Due, at(tt.wait))
			}
			if !tt.c.Up {
				return // TestDeadlineIsExtendedOnlySoFar
			}
			if v = task.Fire(task.Due, tt.c, plan, limit); v != orderly.TaskEnded {
				t.Errorf("Fire at the end of the wait = %v, want TaskEnded", v)
			}
			if task.State != orderly.Error || task.ErrorCode != orderly.ExecutionInterrupted || !task.Finished.Equal(at(tt.wait)) {
				t.Errorf("%s, %s at %s, want Error, ExecutionInterrupted at %s", task.State, task.ErrorCode, task.Finished, at(tt.wait))
			}
		})
	}
}

func TestDeadlineIsExtendedOnlySoFar(t *testing.T) { // LATE-1
	task := started()
	last := at(123).Add(limit.LateResults)
	for task.State.Live() {
		now := task.Due
		if now.After(last) {
			t.Fatalf("due at %s, after %s", now, last)
		}
		if v := task.Fire(now, away(10), plan, limit); v != orderly.TaskEnded && !task.Due.After(now) {
			t.Fatalf("at %s: %v, due at %s", now, v, task.Due)
		}
	}
	if task.State != orderly.Error || task.ErrorCode != orderly.ExecutionInterrupted || !task.Finished.Equal(last) {
		t.Errorf("%s, %s at %s, want Error, ExecutionInterrupted at %s", task.State, task.ErrorCode, task.Finished, last)
	}
}

// A report that comes while an absent agent is waited for counts as ever (LATE-1).
func TestReportInTheExtension(t *testing.T) {
	task := started()
	task.Fire(at(123), away(10), plan, limit)
	task.Apply(withExit(ended(orderly.Success), 0), plan, limit, at(600))
	if task.State != orderly.Success || !task.Finished.Equal(at(5)) {
		t.Errorf("%s at %s, want Success at %s", task.State, task.Finished, at(5))
	}
}

func TestEndedTaskIsNotFired(t *testing.T) {
	task := started()
	task.Apply(ended(orderly.Success), plan, limit, at(6))
	before := *task
	if v := task.Fire(at(9999), linked, plan, limit); v != orderly.Wait || !cmp.Equal(before, *task) {
		t.Errorf("Fire = %v and changed (-before +after):\n%s", v, cmp.Diff(before, *task))
	}
}

// Whatever becomes of the link, a task whose agent never answers ends by its extended deadline.
func TestUnansweredTasksEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := orderly.DefaultLimits.Scale(rapid.SampledFrom([]int{1, 20}).Draw(t, "scale"))
		p := plan
		p.Delivery = time.Duration(rapid.IntRange(10, 3600).Draw(t, "delivery")) * time.Second
		p.Timeout = time.Duration(rapid.IntRange(10, 3600).Draw(t, "timeout")) * time.Second
		slack := l.LateResults + l.Grace
		task := pending()
		task.Await(p, l)
		last := born.Add(p.Delivery).Add(l.Grace).Add(slack) // asked at the limit, then AB-1
		kind := rapid.SampledFrom([]string{"undelivered", "handed", "running", "stopping"}).Draw(t, "kind")
		if kind != "undelivered" {
			task.Hand(home, born, p, l)
		}
		if kind == "running" {
			task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1)}, p, l, at(1))
			last = at(1).Add(p.Timeout + l.Grace).Add(slack)
		}
		if kind == "stopping" {
			task.Stop(at(1), p, l)
			last = at(1).Add(l.Grace).Add(slack)
		}
		now := born
		for fired := 0; task.State.Live(); fired++ {
			if !task.Due.After(now) || fired > 5000 {
				t.Fatalf("fired %d times, at %s, due at %s", fired, now, task.Due)
			}
			now = task.Due
			task.Fire(now, contact(t, now), p, l)
		}
		if now.After(last.Add(2 * l.FireDelay)) {
			t.Errorf("%s ended as %s at %s, want by %s", kind, task.State, now, last)
		}
		if task.State == orderly.Success || kind != "undelivered" && task.State != orderly.Error && task.State != orderly.Timeout {
			t.Errorf("%s ended as %s", kind, task.State) // HND-2
		}
	})
}

func TestScaledLimits(t *testing.T) {
	got := orderly.DefaultLimits.Scale(20)
	want := orderly.Limits{
		Grace: 3 * time.Second, LateResults: 45 * time.Second, FireDelay: 100 * time.Millisecond, Fresh: 6 * time.Second,
		Resend: []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 450 * time.Millisecond, 1350 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
