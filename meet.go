package orderly

import "time"

// Meet brings a live task in line with the agent that is there now (HND-4): b is its life, holds says
// whether it accounts for the task. What was never handed is handed to it, what it cannot know any more
// ends, or is handed again when it is a schedule; of what may have been handed before the store was restored
// goes on only what it has. It returns what to send.
func (t *Task) Meet(b Boot, holds bool, now time.Time, p Plan, l Limits) Verdict {
	switch {
	case !t.State.Live():
		return Wait
	case t.waits(now, p):
		t.Hand(b, now, p, l)
		return SendRun
	case !t.reached():
		return Wait // its deadline is about to fire
	case t.past():
		if !t.recall(b, holds, now, p, l) {
			return TaskEnded
		}
	case t.Handed.Zero():
		t.Handed = b // it spoke of it
	}
	moved := t.Handed != b
	gone := !holds && (moved || t.Confirmed && t.State != Stopping)
	if gone && !t.followed(b, now, p) {
		return TaskEnded
	}
	if p.Repeat.Repeats() {
		t.Handed = b // whose journal goes on with it; one that runs once stays that life's which had it
	}
	v := t.unsaid(holds, now, p)
	if v != Wait {
		t.Resent(now, p, l)
	}
	return v
}

// followed takes a task from an agent that does not have it any more. A schedule may be handed to the
// life that is there now, for nothing is made up for (SC-2); what runs at one boot only, while it has not
// started, to another boot under the same journal. Anything else is over.
func (t *Task) followed(b Boot, now time.Time, p Plan) bool {
	switch {
	case p.Repeat.Recurs():
		if t.open() {
			t.endRun(Break, t.lost(b), now, now)
		}
	case p.Repeat == NextRebootOnly && t.Started.IsZero() && b.Incarnation == t.Handed.Incarnation:
	default:
		t.finish(Break, t.lost(b), now, now)
		return false
	}
	t.Former, t.Confirmed = t.Handed.ID, false
	return true
}

// unsaid is the message that the agent has yet to answer.
func (t *Task) unsaid(holds bool, now time.Time, p Plan) Verdict {
	pending := t.State == Pending
	switch {
	case t.State == Stopping:
		return SendStop
	case pending && !t.Asked.IsZero():
		return SendAsk
	case t.Confirmed, pending && !now.Before(t.Created.Add(p.Delivery)):
		return Wait
	case holds && !p.Repeat.Repeats():
		return Wait // it will speak
	}
	return SendRun
}

// lost is why nobody can know what became of a task that the agent of b does not account for.
func (t *Task) lost(b Boot) ErrorCode {
	switch {
	case b.Incarnation != t.Handed.Incarnation:
		return ClientRestarted
	case b == t.Handed:
		return ExecutionInterrupted // it had confirmed the task and knows nothing of it now
	}
	return InstanceRestarted
}
