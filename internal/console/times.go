package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
)

// times are when something runs, in words and by the next five times.
type times struct {
	Now   bool
	Words string
	Next  []string
	Zone  string // by whose clock
	Never bool
}

// shownTimes is how many times are shown.
const shownTimes = 5

// nextTimes tells when a mode and an expression run, from now on.
func (c *Console) nextTimes(mode orderly.RepeatMode, text string) (t times, err error) {
	switch {
	case text != "":
	case mode == orderly.EveryReboot:
		return times{Words: "At every boot of a machine, from its next one on."}, nil
	case mode == orderly.NextRebootOnly:
		return times{Words: "Once, at the next boot of each machine."}, nil
	default:
		return times{Now: true, Words: "Now, once."}, nil
	}
	e, err := schedule.Parse(text)
	if err != nil {
		return t, orderly.FrequencyInvalid.Errorf("%v", err)
	}
	now := c.cfg.Store.Now()
	zone := e.Zone()
	switch {
	case e.Kind() == schedule.Rate:
		t.Words, t.Zone = "Every "+every(e.Interval())+", from when it is made.", "UTC"
	case e.Kind() == schedule.At:
		t.Words = "Once, at a time."
	default:
		t.Words = "By the cron expression " + text + "."
	}
	if t.Zone = zoneWords(zone, now); e.NeedsZone() {
		t.Zone = "each machine's own clock; shown as of one that is set to UTC"
	}
	if zone == nil {
		zone = time.UTC
	}
	for at, n := now, 0; n < shownTimes; n++ {
		var ok bool
		if at, ok = e.Next(at, now, time.UTC); !ok {
			break
		}
		t.Next = append(t.Next, at.In(zone).Format("Mon 2 Jan 2006, 15:04:05"))
	}
	t.Never = len(t.Next) == 0
	return t, nil
}

// every is an interval in words.
func every(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d%u.size == 0 {
			if d == u.size {
				return u.name
			}
			return plural(int(d/u.size), u.name)
		}
	}
	return d.String()
}

// zoneWords names a zone, nil being UTC, with its distance from UTC now.
func zoneWords(zone *time.Location, now time.Time) string {
	if zone == nil || zone == time.UTC {
		return "Coordinated Universal Time (UTC)"
	}
	_, offset := now.In(zone).Zone()
	sign := '+'
	if offset < 0 {
		sign, offset = '−', -offset
	}
	distance := fmt.Sprintf("UTC%c%02d:%02d", sign, offset/3600, offset/60%60)
	place := zone.String()
	if at := strings.LastIndexByte(place, '/'); at >= 0 {
		return strings.ReplaceAll(place[at+1:], "_", " ") + " time (" + place + ", now " + distance + ")"
	}
	return place + " (" + distance + ")"
}
