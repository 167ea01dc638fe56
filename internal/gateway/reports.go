package gateway

import (
	"context"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// received is a message of reports that waits to be stored and acknowledged.
type received struct {
	instance string
	link     string
	number   uint64
	reports  []orderly.Report
	done     func() // to be called when they are stored, or dropped
}

func (g *Gateway) onReport(m *nats.Msg) {
	r, err := wire.Decode[wire.Reports](m.Data)
	if err != nil || !token.MatchString(r.Link) || len(r.Snapshots) > wire.MaxReports {
		g.cfg.Log.Warn("malformed reports", "instance", wire.Sender(m.Subject))
		return
	}
	now := g.db.Now()
	in := received{instance: wire.Sender(m.Subject), link: r.Link, number: r.Number, reports: make([]orderly.Report, 0, len(r.Snapshots))}
	for i := range r.Snapshots {
		if s := &r.Snapshots[i]; plausible(s) {
			in.reports = append(in.reports, placed(s, in.instance, now))
		}
	}
	if !g.reportsOf.take(in.instance) {
		return
	}
	if in.done = g.engine.Received(); !g.reports.add(in) {
		g.forget(in)
	}
}

// forget ends the count of what waits.
func (g *Gateway) forget(r received) {
	r.done()
	g.reportsOf.give(r.instance)
}

// code is the form of an error code.
var code = regexp.MustCompile(`^[A-Za-z]{0,64}$`)

// plausible reports whether a snapshot can be from an agent that works: others are acknowledged, for
// they would come again, and have no effect.
func plausible(s *wire.Snapshot) bool {
	_, known := orderly.ParseState(string(s.State))
	return known && s.Number > 0 && s.Invocation > 0 && s.Ordinal >= 0 && len(s.Output) <= orderly.MaxOutput &&
		s.Offset >= 0 && s.Total >= 0 && code.MatchString(string(s.Code)) && plausibleRun(s)
}

// plausibleRun reports whether what a snapshot says of runs fits together: numbers have the run above
// them, so that they grow over all runs. A run has one end, and the end one number: who could number ends at will could
// have any number of them kept as late results.
func plausibleRun(s *wire.Snapshot) bool {
	n := s.Number & (1<<32 - 1)
	numbered := s.State.Live() && n < wire.EndNumber || !s.State.Live() && n == wire.EndNumber
	return numbered && s.Run >= 0 && s.Run <= wire.OverRun && s.Number>>32 == int64(s.Run) && s.Version >= 0
}

// maxAge is more than anything that is reported can be old.
const maxAge = 100 * 365 * 24 * time.Hour

// placed is a snapshot with its ages placed on the store's clock (CLK-1).
func placed(s *wire.Snapshot, instance string, now time.Time) orderly.Report {
	at := func(ago *int64) time.Time {
		if ago == nil {
			return time.Time{}
		}
		return now.Add(-time.Duration(min(max(0, *ago), maxAge.Milliseconds())) * time.Millisecond)
	}
	return orderly.Report{
		Task: s.TaskKey, Instance: instance, Number: s.Number, State: s.State, ErrorCode: s.Code,
		Started: at(s.StartedAgo), Finished: at(s.EndedAgo), ExitCode: s.ExitCode,
		Output: s.Output, Offset: s.Offset, Total: s.Total,
		Run: s.Run, Last: s.Last, Version: s.Version,
	}
}

// report stores reports and acknowledges them after the commit, not before.
func (g *Gateway) report(ctx context.Context, list []received) {
	var all []orderly.Report
	for i := range list {
		all = append(all, list[i].reports...)
		defer g.forget(list[i])
	}
	if err := g.engine.Report(ctx, all); err != nil {
		if ctx.Err() == nil {
			g.cfg.Log.Error("store reports", "reports", len(all), "err", err) // the agents send them again
		}
		return
	}
	for i := range list {
		r := &list[i]
		g.bus.say(r.instance, r.link, wire.ToAgent{Ack: r.number})
	}
}
