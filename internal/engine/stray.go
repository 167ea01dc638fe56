package engine

import (
	"cmp"
	"slices"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A schedule goes on at its agent until the agent is told to drop it, also when its task has ended here
// without the agent's word, or nobody here knows of it. So whoever speaks of such a one is told to stop.

// strays are the messages to stop what an agent that has just come holds beyond its live tasks.
func strays(tx *store.Tx, g Greeting, live []orderly.Task) ([]Message, error) {
	known := map[orderly.TaskKey]bool{}
	for _, t := range live {
		known[t.TaskKey] = true
	}
	var others []orderly.TaskKey
	for _, k := range g.Tasks {
		if !known[k] {
			others = append(others, k)
		}
	}
	ended, err := tx.EndedSchedules(others)
	var send []Message
	for _, k := range ended {
		send = append(send, Message{Instance: g.Instance, Link: g.ID, Kind: SendStop, Task: k, Boot: g.Boot})
	}
	return send, err
}

// stray notes that the sender of reports on a task is to be stopped, when they are about a run of a
// schedule that has no live task, and the newest does not say that the schedule is over anyway.
func (c *change) stray(reports []orderly.Report) {
	newest := slices.MaxFunc(reports, func(a, b orderly.Report) int { return cmp.Compare(a.Number, b.Number) })
	if newest.Run > 0 && newest.Run < orderly.OverRun && !newest.Last {
		c.send = append(c.send, Message{Instance: newest.Instance, Kind: SendStop, Task: newest.Task})
	}
}

// addressStrays sends such messages to the links that are there, whichever they are.
func addressStrays(tx *store.Tx, list []Message) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].Instance
	}
	now, err := tx.Presences(ids)
	for i := range list {
		p := now[list[i].Instance]
		list[i].Link, list[i].Boot = p.Link, p.Boot
	}
	return err
}
