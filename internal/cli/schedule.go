package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/schedule"
)

var scheduleColumns = []Column[invocation]{
	{Title: "INVOKE ID", Cell: func(v *invocation) string { return v.InvokeId }},
	{Title: "STATUS", In: InWide, Cell: func(v *invocation) string { return v.InvocationStatus }, Colour: func(v *invocation) string { return statusColour(v.InvocationStatus) }},
	{Title: "MACHINES", Cell: (*invocation).counted},
	{Title: "WHEN", Cell: func(v *invocation) string { return v.when() }, Cut: 12},
	{Title: "NEXT", Cell: func(v *invocation) string { return v.next(time.Now()) }, Cut: 18},
	{Title: "ZONE", Cell: (*invocation).zone, Cut: 7},
	{Title: "COMMAND", Cell: (*invocation).title, Cut: 7},
	{Title: "CREATED", In: InWide, Cell: func(v *invocation) string { return dated(v.CreationTime) }},
	{Title: "COMMAND ID", In: InWide, Cell: func(v *invocation) string { return v.CommandId }},
	{Title: "TIMEOUT", In: Alone, Cell: func(v *invocation) string { return fmt.Sprintf("%d s", v.Timeout) }},
	{Title: "THEN", In: Alone, Cell: func(v *invocation) string { return v.following(time.Now()) }},
	{Title: "SCRIPT", In: Alone, Cell: func(v *invocation) string { return strings.TrimRight(v.CommandContent, "\n") }},
}

// when says when a schedule runs: a boot, or its expression.
func (v *invocation) when() string {
	switch v.RepeatMode {
	case "EveryReboot":
		return "at every boot"
	case "NextRebootOnly":
		return "at the next boot"
	}
	if e, err := schedule.Parse(v.Frequency); err == nil && e.Kind() == schedule.Rate {
		return "every " + interval(e.Interval())
	}
	return v.Frequency
}

// interval says how long a rate's interval is, in the largest unit that it is a multiple of.
func interval(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := d / unit.length; {
		case d%unit.length != 0:
			continue
		case n == 1:
			return unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}

// expression is what it runs by, and the zone to show its times in: the reader's when it names none.
func (v *invocation) expression() (e schedule.Expression, zone *time.Location, ok bool) {
	e, err := schedule.Parse(v.Frequency)
	if err != nil {
		return e, nil, false
	}
	switch zone = e.Zone(); {
	case zone != nil:
	case e.Kind() == schedule.At:
		zone = time.UTC
	default:
		zone = time.Local
	}
	return e, zone, true
}

// next says when it runs next. By the clocks of machines, whose zones nobody knows here, that is a
// time of day and no distance.
func (v *invocation) next(now time.Time) string {
	e, zone, ok := v.expression()
	if v.InvocationStatus == "Stopping" {
		return "stopping"
	}
	if !ok {
		return ""
	}
	t, ok := e.Next(now, moment(v.CreationTime), zone)
	switch {
	case !ok:
		return "never again"
	case e.NeedsZone():
		return onClock(t, now, zone)
	}
	return countdown(t, now, zone)
}

// zone says by which clock next is.
func (v *invocation) zone() string {
	e, zone, ok := v.expression()
	switch {
	case !ok:
		return ""
	case e.NeedsZone():
		return "of each machine"
	case e.Kind() == schedule.Rate:
		return time.Now().Format("MST") + " (yours)"
	}
	return zone.String()
}

const followingTimes = 4

// following are the times after the next one, on a line each.
func (v *invocation) following(now time.Time) string {
	e, zone, ok := v.expression()
	if !ok {
		return ""
	}
	var lines []string
	t, ok := e.Next(now, moment(v.CreationTime), zone)
	for ok && len(lines) < followingTimes {
		if t, ok = e.Next(t, moment(v.CreationTime), zone); ok {
			lines = append(lines, onClock(t, now, zone))
		}
	}
	return strings.Join(lines, "\n")
}

func (s *Session) schedules(ctx context.Context, limit int) (client.List[invocation], error) {
	live := true
	return s.invocations(ctx, invocationsRequest{Timed: &live}, limit)
}

// Schedules lists what will run again, newest first.
func (s *Session) Schedules(ctx context.Context, limit int) error {
	list, err := s.schedules(ctx, limit)
	if err != nil {
		return err
	}
	return shown(s, scheduleColumns, list, "no schedules: orderly run --schedule 'rate(1h)' makes one")
}

// Schedule shows one schedule, with its next times and the last run on each machine.
func (s *Session) Schedule(ctx context.Context, id string) error {
	v, raw, err := s.invocation(ctx, id)
	if err != nil {
		return err
	}
	if err := One(s, scheduleColumns, v, raw); err != nil || s.Format == JSON || s.Format == YAML {
		return err
	}
	return s.states(ctx, v)
}

// StopSchedule ends a schedule, after asking, on all its machines when none is named.
func (s *Session) StopSchedule(ctx context.Context, id string, refs []string) error {
	v, _, err := s.invocation(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Confirm(fmt.Sprintf("end the schedule %s (%s, %s) for good", id, v.when(), v.title())); err != nil {
		return err
	}
	return s.Stop(ctx, id, refs)
}

// ScheduleIDs are the newest schedules, for completion.
func (s *Session) ScheduleIDs(ctx context.Context) ([]string, error) {
	list, err := s.schedules(ctx, pageSize)
	var lines []string
	for i := range list.Items {
		lines = append(lines, list.Items[i].InvokeId+"\t"+cellText(list.Items[i].when()+": "+list.Items[i].title()))
	}
	return lines, err
}
