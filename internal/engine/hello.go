package engine

import (
	"context"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A Greeting is a link that came up: the first message of an agent's process.
type Greeting struct {
	store.Link
	Digest func(tasks []orderly.TaskKey) bool // whether the agent holds exactly these tasks
	Listed bool                               // Tasks is the agent's whole list, or all of it behind After up to Upto
	Tasks  []orderly.TaskKey
	After  *orderly.TaskKey // nil: from the beginning
	Upto   *orderly.TaskKey // nil: to the end, and with that the list is complete
	Usurps string           // a link of the same instance that is known to be dead

	Received time.Time // on the store's clock; zero for just now

	again bool // the link is known already: the greeting may be one that was overtaken
}

// An Admission is what became of a Greeting.
type Admission struct {
	Unknown bool             // not one of the fleet any more
	Rival   string           // another link that holds the instance
	List    bool             // the agent must greet again with the list of its tasks
	After   *orderly.TaskKey // with List: with what comes behind this
	Send    []Message
}

// Greet stores links that came up and squares their tasks with the rows (HND-4): what waited is
// handed over, what was handed and not taken up is sent again, what the agent cannot know any more
// ends. When it has returned, all of it is durable. Admissions are in the order of the greetings;
// their messages are the caller's to send, after it has answered.
func (e *Engine) Greet(ctx context.Context, greetings []Greeting) ([]Admission, error) {
	var c *change
	var admitted []Admission
	err := e.db.Write(ctx, store.Mass, func(tx *store.Tx) (err error) {
		c = newChange()
		admitted, err = e.greet(tx, greetings, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.tell(c)
	return admitted, nil
}

func (e *Engine) greet(tx *store.Tx, greetings []Greeting, c *change) ([]Admission, error) {
	ids := make([]string, len(greetings))
	for i := range greetings {
		ids[i] = greetings[i].Instance
	}
	known, err := tx.LockPresences(ids)
	if err != nil {
		return nil, err
	}
	tasks, err := tx.LiveTasks(ids)
	if err != nil {
		return nil, err
	}
	live := map[string][]orderly.Task{}
	for _, t := range tasks {
		live[t.Instance] = append(live[t.Instance], t)
	}
	admitted := make([]Admission, len(greetings))
	var links []store.Link
	for i, g := range greetings {
		a := &admitted[i]
		p, ok := known[g.Instance]
		g.again = p.Link == g.ID
		if *a = judge(g, p, ok, live[g.Instance]); a.Unknown || a.Rival != "" || a.List {
			continue
		}
		if g.Upto != nil {
			a.List, a.After = true, g.Upto
		} else {
			links = append(links, g.Link)
		}
		if a.Send, err = e.square(tx, g, live[g.Instance], c); err != nil {
			return nil, err
		}
	}
	if err := tx.Linked(links); err != nil {
		return nil, err
	}
	return admitted, c.save(tx)
}

// judge says what stands against admitting a link; the zero Admission is nothing.
func judge(g Greeting, p orderly.Presence, known bool, live []orderly.Task) Admission {
	switch {
	case !known:
		return Admission{Unknown: true}
	case p.Link != "" && p.Link != g.ID && p.Link != g.Usurps:
		return Admission{Rival: p.Link}
	}
	return Admission{List: needsList(g, live) || g.overtaken(live)}
}

// needsList reports whether the agent's list must be seen: when it differs from what it ought to
// hold.
func needsList(g Greeting, live []orderly.Task) bool {
	if g.Listed {
		return false
	}
	var handed []orderly.TaskKey
	for _, t := range live {
		if !t.Handed.Zero() {
			handed = append(handed, t.TaskKey)
		}
	}
	return !g.Digest(handed)
}

// overtaken reports whether a list that leaves out a task may be older than what is known of it: the task was handed over, or
// its agent spoke of it, after the greeting was received. One that another link has taken up since is not lost (HND-4).
func (g *Greeting) overtaken(live []orderly.Task) bool {
	if !g.Listed || g.again || g.Received.IsZero() {
		return false
	}
	return slices.ContainsFunc(g.covered(live), func(t orderly.Task) bool {
		newer := t.Updated.After(g.Received) || t.Sent.After(g.Received)
		return newer && (t.Confirmed || !t.Handed.Zero() && t.Handed != g.Boot) && !slices.Contains(g.Tasks, t.TaskKey)
	})
}

// square brings the live tasks of an instance in line with what its agent holds.
func (e *Engine) square(tx *store.Tx, g Greeting, all []orderly.Task, c *change) ([]Message, error) {
	live := g.covered(all)
	send, err := strays(tx, g, all)
	if err != nil || len(live) == 0 {
		return send, err
	}
	holds := map[orderly.TaskKey]bool{}
	for _, k := range g.Tasks {
		holds[k] = true
	}
	seqs := make([]int64, len(live))
	for i := range live {
		seqs[i] = live[i].Invocation
	}
	of, err := tx.InvocationsBySeq(seqs)
	if err != nil {
		return nil, err
	}
	for _, t := range live {
		before := t
		v := of[t.Invocation]
		if t.Version < v.Version && before.State.Live() {
			t.Modify(v.Version, tx.Now, v.Plan(), e.cfg.Limits) // whoever modified it did not come to this
		}
		// Without a list the digests agreed. A process that greeted before cannot have lost what it confirmed:
		// its list is older than that.
		accounted := !g.Listed || holds[t.TaskKey] || g.again && t.Confirmed && t.Handed == g.Boot
		if kind, ok := asked(t.Meet(g.Boot, accounted, tx.Now, v.Plan(), e.cfg.Limits)); ok {
			m := message(kind, &t, &v, tx.Now)
			m.Link = g.ID
			send = append(send, m)
		}
		if t.State != before.State || t.Due != before.Due || t.Handed != before.Handed || t.Confirmed != before.Confirmed {
			c.note(before, t)
		}
	}
	return send, e.name(tx, send)
}

// covered are the tasks that the greeting says something about: those within its part of the list, and
// with the last part, or without parts, those that were never handed over.
func (g *Greeting) covered(live []orderly.Task) []orderly.Task {
	if g.After == nil && g.Upto == nil {
		return live
	}
	var within []orderly.Task
	for _, t := range live {
		if t.Handed.Zero() {
			if g.Upto == nil {
				within = append(within, t)
			}
			continue
		}
		if (g.After == nil || t.Compare(*g.After) > 0) && (g.Upto == nil || t.Compare(*g.Upto) <= 0) {
			within = append(within, t)
		}
	}
	return within
}

// Lost stores, by instance, links that went down.
func (e *Engine) Lost(ctx context.Context, links map[string]string) error {
	return e.db.Write(ctx, store.Mass, func(tx *store.Tx) error { return tx.Unlinked(links) })
}
