package orderly

import "time"

// Limits are the time constants of a task's life (design rule: each one is configuration, so that
// tests run them shorter). DefaultLimits has the published values.
type Limits struct {
	Grace       time.Duration   // how long an answer of an agent with a link is waited for (AB-1, TO-1, T18)
	LateResults time.Duration   // how far past its due time a task waits for an absent agent (LATE-1)
	FireDelay   time.Duration   // how long after it is due a deadline fires (CLK-2)
	Resend      []time.Duration // when an unanswered message is sent again, each after the one before (HND-4)
	Fresh       time.Duration   // how old a heartbeat may be (HB-1)
}

// DefaultLimits are the limits in force unless configured otherwise.
var DefaultLimits = Limits{
	Grace:       60 * time.Second,
	LateResults: 15 * time.Minute,
	FireDelay:   2 * time.Second,
	Resend:      []time.Duration{1 * time.Second, 3 * time.Second, 9 * time.Second, 27 * time.Second},
	Fresh:       2 * time.Minute,
}

// Scale divides every limit by n, which lets stories with processes run n times shorter.
func (l Limits) Scale(n int) Limits {
	d := time.Duration(n)
	s := Limits{l.Grace / d, l.LateResults / d, l.FireDelay / d, nil, l.Fresh / d}
	for _, r := range l.Resend {
		s.Resend = append(s.Resend, r/d)
	}
	return s
}

// probe is how long an agent that is asked for a sign of life has until it is asked again.
func (l Limits) probe() time.Duration {
	if len(l.Resend) > 0 {
		return l.Resend[0]
	}
	return l.Grace
}

// A Contact is what is known of a task's agent at the moment of a decision.
type Contact struct {
	Up    bool      // its link is up
	Boot  Boot      // of that link, or of the last one
	Since time.Time // since when link, servers and database have been as they are without a break
	Seen  time.Time // the last sign of life that is known
	Fresh bool      // a heartbeat came lately (HB-1)
}

// A Verdict is what a task that fell due asks for.
type Verdict int

// The verdicts.
const (
	Wait      Verdict = iota // nothing but a new Due
	SendRun                  // send the run message, for the first time or again
	SendStop                 // send the stop again
	SendAsk                  // ask the agent to expire it, or ask again (AB-1)
	SendProbe                // ask the agent for a sign of life: its link may be dead without anybody knowing
	RunEnded                 // a run is over, and the task waits for the next
	TaskEnded                // it is over
)

// nextDue is when the task must be looked at again.
func (t *Task) nextDue(p Plan, l Limits) time.Time {
	due := t.deadline(p, l)
	if at := t.resendAt(l); !at.IsZero() && (due.IsZero() || at.Before(due)) {
		return at
	}
	return due
}

// deadline is when the task's state may end by itself.
func (t *Task) deadline(p Plan, l Limits) time.Time {
	switch {
	case t.State == Stopping && p.Repeat.Repeats():
		return time.Time{} // STOP-7
	case t.past() && t.State != Scheduled:
		return t.Updated.Add(l.LateResults) // its agent has yet to say whether it has it
	case t.State == Stopping:
		return t.Stopped.Add(l.Grace + l.FireDelay) // T18
	case t.State == Running:
		return t.Started.Add(p.Timeout + l.Grace + l.FireDelay) // TO-1
	case t.State != Pending:
		return time.Time{}
	case t.Confirmed:
		return t.Updated.Add(l.LateResults) // AB-1, accepted: only an absence ends it
	case !t.Asked.IsZero():
		return t.Asked.Add(l.Grace + l.FireDelay)
	}
	return t.Created.Add(p.Delivery + l.FireDelay) // T4, AB-1
}

// resendAt is when the message that the agent has not answered is due again, zero for never.
func (t *Task) resendAt(l Limits) time.Time {
	unanswered := t.State == Stopping || !t.Handed.Zero() && !t.Confirmed
	if !unanswered || len(l.Resend) == 0 {
		return time.Time{}
	}
	n := min(t.Sends-1, len(l.Resend)-1) // the last one again and again, until there is an answer (HND-4, HND-5)
	return t.Sent.Add(l.Resend[max(n, 0)])
}

// Fire decides what becomes of a task that fell due. Nothing becomes of one that has ended.
func (t *Task) Fire(now time.Time, c Contact, p Plan, l Limits) Verdict {
	if !t.State.Live() {
		return Wait
	}
	if t.waits(now, p) && c.Up {
		t.Hand(c.Boot, now, p, l)
		return SendRun
	}
	v := t.fire(now, c, p, l)
	switch v {
	case SendRun, SendStop, SendAsk:
		t.Sent, t.Sends = now, t.Sends+1
		t.Due = t.nextDue(p, l)
	case Wait, RunEnded:
		if !t.Due.IsZero() && !t.Due.After(now) {
			t.Due = t.nextDue(p, l)
		}
		if !t.Due.IsZero() && !t.Due.After(now) {
			t.Due = now.Add(l.Grace)
		}
	}
	return v
}

// waits reports whether the task is to be handed to any agent that comes.
func (t *Task) waits(now time.Time, p Plan) bool {
	return !t.reached() && (t.State == Scheduled || t.State == Pending && now.Before(t.Created.Add(p.Delivery)))
}

// Resent notes that the message that the agent has not answered was sent again, outside of its turn.
func (t *Task) Resent(now time.Time, p Plan, l Limits) {
	t.Sent, t.Sends = now, 1
	t.Due = t.nextDue(p, l)
}

func (t *Task) fire(now time.Time, c Contact, p Plan, l Limits) Verdict {
	if due := t.deadline(p, l); !due.IsZero() && !now.Before(due) {
		return t.expire(due, now, c, p, l)
	}
	if at := t.resendAt(l); at.IsZero() || now.Before(at) {
		return Wait
	}
	return t.resend(now, c, p, l)
}

// resend sends the unanswered message again, if there is anyone who may get it (HND-4).
func (t *Task) resend(now time.Time, c Contact, p Plan, l Limits) Verdict {
	switch {
	case !c.Up || c.Boot != t.Handed: // hello sends it when the agent is back
		if t.Due = t.deadline(p, l); !t.Due.IsZero() {
			t.Due = earlier(now.Add(l.Resend[len(l.Resend)-1]), t.Due)
		}
		return Wait
	case t.State == Stopping:
		return SendStop
	case t.State == Pending && !t.Asked.IsZero():
		return SendAsk
	}
	return SendRun
}

// expire decides about a task whose deadline is over.
func (t *Task) expire(due, now time.Time, c Contact, p Plan, l Limits) Verdict {
	switch {
	case t.past():
		return t.expirePast(now, c, p, l)
	case t.State == Pending && !t.reached():
		t.finish(Abort, t.undelivered(c), t.Created.Add(p.Delivery), now)
		return TaskEnded
	case t.State == Pending && t.Confirmed:
		return t.expireAccepted(now, c, l)
	case t.State == Pending && t.Asked.IsZero():
		t.Asked, t.Sends = now, 0
		return SendAsk
	}
	if !c.Up || c.Since.After(due.Add(-l.Grace)) {
		return t.waitLate(due, now, c, p, l)
	}
	if c.Seen.Before(due) && now.Before(due.Add(l.LateResults)) {
		// A connection that was cut silently counts as up for a while. Only an agent that is heard
		// now had its chance to speak.
		t.Due = now.Add(l.probe())
		return SendProbe
	}
	if c.Seen.Before(due) {
		return t.waitLate(due, now, Contact{}, p, l)
	}
	return t.giveUp(due.Add(-l.FireDelay), now, p)
}

// giveUp ends a task, or its run, whose agent had every chance to speak until due and did not (CLK-2).
func (t *Task) giveUp(due, now time.Time, p Plan) Verdict {
	switch t.State {
	case Running:
		return t.fail(TimeOut, ExecutionTimeout, t.Started.Add(p.Timeout), now, p) // TO-1
	case Stopping:
		return t.fail(Break, TerminationException, due, now, p) // T18
	}
	return t.fail(Break, ExecutionInterrupted, due, now, p) // AB-1
}

// waitLate lets an agent that was away come back and speak first; when it does not, nobody knows
// the outcome (LATE-1).
func (t *Task) waitLate(due, now time.Time, c Contact, p Plan, l Limits) Verdict {
	over := due.Add(l.LateResults)
	if c.Up {
		over = earlier(over, c.Since.Add(l.Grace))
	}
	if !now.Before(over) {
		return t.fail(Break, ExecutionInterrupted, over, now, p)
	}
	t.Due = earlier(over, now.Add(l.Grace))
	return Wait
}

// expireAccepted ends an accepted task only when its agent has been away too long (AB-1).
func (t *Task) expireAccepted(now time.Time, c Contact, l Limits) Verdict {
	if c.Up {
		t.Due = now.Add(l.LateResults)
		return Wait
	}
	over := later(c.Since, t.Updated).Add(l.LateResults)
	if !now.Before(over) {
		t.finish(Break, ExecutionInterrupted, over, now)
		return TaskEnded
	}
	t.Due = over
	return Wait
}

// undelivered is the code of a task that no agent got in time (AB-2).
func (t *Task) undelivered(c Contact) ErrorCode {
	switch {
	case !c.Fresh && c.Up:
		return ClientNotResponse
	case !c.Fresh:
		return ClientNotRunning
	case !c.Up:
		return ClientNotOnline
	}
	return DeliveryTimeout
}
