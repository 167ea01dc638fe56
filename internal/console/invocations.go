package console

import (
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

type invocationsBody struct {
	Query       query
	Invocations []orderly.Invocation
	Total       int
	Next        int64
	Statuses    []orderly.Status
	Modes       []orderly.RepeatMode
	Types       []orderly.CommandType
}

// What the list can be filtered by.
var (
	statuses = []orderly.Status{
		orderly.StatusPending, orderly.StatusScheduled, orderly.StatusRunning, orderly.StatusStopping, orderly.StatusSuccess,
		orderly.StatusPartialFailed, orderly.StatusFailed, orderly.StatusStopped,
	}
	modes        = []orderly.RepeatMode{orderly.Once, orderly.Period, orderly.NextRebootOnly, orderly.EveryReboot, orderly.DryRun}
	commandTypes = []orderly.CommandType{orderly.RunShellScript, orderly.RunPowerShellScript, orderly.RunBatScript}
)

// invocationFilter reads the filters of DescribeInvocations out of a URL.
func (v *visit) invocationFilter() store.InvocationFilter {
	q := v.query()
	f := store.InvocationFilter{
		Region: v.region, ID: q.Get("id"), Status: q.Get("status"), CommandID: q.Get("command"), CommandName: q.Get("name"), CommandType: q.Get("type"),
		Instance: q.Get("instance"), Repeat: q.Get("repeat"), Tags: tags(q.All("tag")),
	}
	if t := q.Get("timed"); t == "true" || t == "false" {
		timed := t == "true"
		f.Timed = &timed
	}
	return f
}

func (c *Console) invocationsPage(v *visit) error {
	f := v.invocationFilter()
	b := invocationsBody{Query: v.query(), Statuses: statuses, Modes: modes, Types: commandTypes}
	var err error
	if b.Invocations, b.Total, err = c.cfg.Engine.Invocations(v.Context(), v.caller, f, store.Page{Limit: pageSize + 1, After: store.Place{Seq: b.Query.after()}}); err != nil {
		return err
	}
	if len(b.Invocations) > pageSize {
		b.Invocations = b.Invocations[:pageSize]
		b.Next = b.Invocations[pageSize-1].Seq
	}
	return c.show(v, http.StatusOK, "invocations", &frame{Title: "Invocations", Nav: "invocations", Same: sameInvocations(v.region, f)}, b)
}
