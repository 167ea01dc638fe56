package gateway

import (
	"context"
	"errors"
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

// onReport takes a message up, unless too many of its sender wait already: what is dropped is not even read, so that one that
// floods takes no time from others.
func (g *Gateway) onReport(m *nats.Msg) {
	in := received{instance: wire.Sender(m.Subject)}
	if !g.reportsOf.take(in.instance) {
		return
	}
	if err := in.read(m.Data, g.db.Now()); err != nil {
		g.malformed(wire.KindReport, in.instance, &g.reportsOf)
		return
	}
	if in.done = g.engine.Received(); !g.reports.add(in) {
		g.forget(in)
	}
}

var errMalformed = errors.New("malformed")

// read reads a message that was received at a time.
func (r *received) read(data []byte, at time.Time) error {
	m, err := wire.Decode[wire.Reports](data)
	if err != nil {
		return err
	}
	if !token.MatchString(m.Link) || len(m.Snapshots) > wire.MaxReports {
		return errMalformed
	}
	r.link, r.number, r.reports = m.Link, m.Number, make([]orderly.Report, 0, len(m.Snapshots))
	for i := range m.Snapshots {
		if s := &m.Snapshots[i]; plausible(s) {
			r.reports = append(r.reports, placed(s, r.instance, at))
		}
	}
	return nil
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
