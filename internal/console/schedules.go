package console

import (
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

type schedulesBody struct {
	Query     query
	Schedules []scheduled
	Total     int
	Next      int64
}

// A scheduled is an invocation that will run again, and when.
type scheduled struct {
	orderly.Invocation
	Times times
}

// schedulesPage lists what will run again by itself.
func (c *Console) schedulesPage(v *visit) error {
	b, timed := schedulesBody{Query: v.query()}, true
	f := store.InvocationFilter{Region: v.region, Timed: &timed}
	list, total, err := c.cfg.Engine.Invocations(v.Context(), v.caller, f, store.Page{Limit: pageSize + 1, After: store.Place{Seq: b.Query.after()}})
	if err != nil {
		return err
	}
	if b.Total = total; len(list) > pageSize {
		list = list[:pageSize]
		b.Next = list[pageSize-1].Seq
	}
	for _, i := range list {
		s := scheduled{Invocation: i}
		if s.Times, err = c.nextTimes(i.Repeat, i.Frequency); err != nil {
			s.Times = times{Words: i.Frequency} // of a newer server
		}
		b.Schedules = append(b.Schedules, s)
	}
	return c.show(v, http.StatusOK, "schedules", &frame{Title: "Schedules", Nav: "schedules", Same: same(v.region, []string{"schedule", "list"}, "DescribeInvocations", "Timed=true")}, b)
}
