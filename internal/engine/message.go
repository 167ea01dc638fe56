package engine

import (
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A Message is something to send to one link of an instance.
type Message struct {
	Instance string
	Link     string
	Kind     MessageKind
	Task     orderly.TaskKey
	Boot     orderly.Boot

	// With SendRun:
	Allowed time.Duration       // how long the agent may take to take it up (HND-3); 0 for no limit, below 0 over
	Of      *orderly.Invocation // what to run, and when
	Name    string              // of the instance
	Age     time.Duration       // of what repeats: how old it is
	Ran     int                 // of what repeats: how many runs are known
	Former  string              // of what repeats: the boot that it was handed to before, "" for none
}

// A MessageKind says what a Message asks for.
type MessageKind int

// The kinds of messages.
const (
	SendRun MessageKind = iota
	SendStop
	SendExpire
	SendProbe
)

// A Link carries messages to agents. It may lose them: the engine sends again what is not answered.
type Link interface {
	Send([]Message)
}

// message is one about a task, as of a time, for whoever holds its instance's link.
func message(k MessageKind, t *orderly.Task, v *orderly.Invocation, now time.Time) Message {
	m := Message{Instance: t.Instance, Kind: k, Task: t.TaskKey, Boot: t.Handed}
	if k != SendRun {
		return m
	}
	m.Of, m.Ran, m.Former = v, t.Repeats, t.Former
	if t.State == orderly.Pending { // what is scheduled already was delivered, or has no limit (SC-1)
		if m.Allowed = v.Delivery - now.Sub(t.Created); m.Allowed <= 0 {
			m.Allowed = -1
		}
	}
	m.Age = now.Sub(v.Created) // EX-2, MIA-6
	if v.Repeat.AtBoot() {
		m.Age = now.Sub(t.Created) // RM-4: of an instance that was added later, since then
	}
	return m
}

// asked is the kind of message that a verdict asks for.
func asked(v orderly.Verdict) (MessageKind, bool) {
	switch v {
	case orderly.SendRun:
		return SendRun, true
	case orderly.SendStop:
		return SendStop, true
	case orderly.SendAsk:
		return SendExpire, true
	case orderly.SendProbe:
		return SendProbe, true
	}
	return 0, false
}

// address fills in the links of messages; those that nobody is there to get keep none.
func (e *Engine) address(tx *store.Tx, list []Message) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].Instance
	}
	now, err := tx.Presences(ids)
	for i := range list {
		if p := now[list[i].Instance]; p.Boot == list[i].Boot {
			list[i].Link = p.Link
		}
	}
	return err
}

// name fills in the names of instances in run messages whose commands may ask for them (ENV-1).
func (e *Engine) name(tx *store.Tx, list []Message) error {
	var ids []string
	for i := range list {
		if m := &list[i]; m.Kind == SendRun && m.Of.Command.EnableParameter {
			ids = append(ids, m.Instance)
		}
	}
	names, err := tx.Names(ids)
	for i := range list {
		list[i].Name = names[list[i].Instance]
	}
	return err
}

// send gives messages that have someone to go to, and can still be taken up, to the link.
func (e *Engine) send(list []Message) {
	there := list[:0]
	for _, m := range list {
		if m.Link != "" && (m.Kind != SendRun || m.Allowed >= 0) {
			there = append(there, m)
		}
	}
	if len(there) > 0 {
		e.link.Send(there)
	}
}
