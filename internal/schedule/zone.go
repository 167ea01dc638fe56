package schedule

import (
	"strconv"
	"strings"
	"time"
)

// parseZone reads the zone of an expression (rule EX-9).
func parseZone(text string) (*time.Location, error) {
	switch {
	case strings.Contains(text, "/"):
		return loadZone(text)
	case strings.EqualFold(text, "UTC"), strings.EqualFold(text, "GMT"):
		return time.UTC, nil
	case strings.ContainsAny(text, "+-"):
		return parseOffset(text)
	}
	return nil, BadZone.errorf("%s is not a time zone such as Europe/Berlin, GMT+8:00 or UTC", quote(text))
}

// loadZone finds a zone in the time zone database. The name may come from a stranger and becomes a file
// name, and the folders posix and right of some systems are copies of the database, the latter with
// other times.
func loadZone(name string) (*time.Location, error) {
	for i, part := range strings.Split(name, "/") {
		if !isZoneWord(part) || i == 0 && (part == "posix" || part == "right") {
			return nil, BadZone.errorf("%s is not the name of a time zone", quote(name))
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, BadZone.errorf("time zone %s is not known", quote(name))
	}
	return zone, nil
}

func isZoneWord(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '+', r == '-':
		default:
			return false
		}
	}
	return s != ""
}

// parseOffset reads GMT±H:MM, from GMT-12:59 to GMT+14:59.
func parseOffset(text string) (*time.Location, error) {
	if len(text) < 4 || !strings.EqualFold(text[:3], "GMT") || text[3] != '+' && text[3] != '-' {
		return nil, BadOffset.errorf("time zone %s is not of the form GMT+8:00", quote(text))
	}
	hours, minutes, ok := strings.Cut(text[4:], ":")
	if !ok {
		return nil, BadOffset.errorf("time zone %s is not of the form GMT+8:00", quote(text))
	}
	west := text[3] == '-'
	h, err := strconv.ParseUint(hours, 10, 8)
	if err != nil || len(hours) != len(strconv.FormatUint(h, 10)) || h > 14 || west && h > 12 {
		return nil, BadHour.errorf("time zone %s: the hour is not one from -12 to +14 without a leading zero", quote(text))
	}
	m, err := strconv.ParseUint(minutes, 10, 8)
	if err != nil || len(minutes) != 2 || m > 59 {
		return nil, BadMinute.errorf("time zone %s: the minute is not one from 00 to 59", quote(text))
	}
	offset := int(h*3600 + m*60)
	if west {
		offset = -offset
	}
	return time.FixedZone("GMT"+text[3:], offset), nil
}

const oneDay = 24 * time.Hour

// farthest is more than the clocks of two zones, or of one zone at two times, ever differ.
const farthest = 36 * time.Hour

// endOfTime is after the end of the last year, whatever the zone.
var endOfTime = time.Date(lastYear+1, time.January, 3, 0, 0, 0, 0, time.UTC)

// A stretch is a time during which a zone keeps one offset, though it may keep it before and after too.
// What the clocks show in it is written as a time in UTC that shows the same.
type stretch struct {
	start, end time.Time // zero when there is none
	offset     time.Duration
}

// stretchAt is the stretch around t in the zone of t.
func stretchAt(t time.Time) stretch {
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) { // golang/go#81583: on the last day of a leap year
		end = t.Truncate(oneDay).Add(oneDay)
	}
	return stretch{start: start, end: end, offset: time.Duration(offset) * time.Second}
}

// shown is what the clocks show at t.
func (s stretch) shown(t time.Time) time.Time { return t.UTC().Add(s.offset) }

// until is what the clocks would show at the end.
func (s stretch) until() time.Time {
	if s.end.IsZero() {
		return endOfTime
	}
	return s.shown(s.end)
}

// when is the instant at which the clocks show clock; false when that is not in the stretch.
func (s stretch) when(clock time.Time) (time.Time, bool) {
	t := clock.Add(-s.offset)
	return t, !t.Before(s.start) && (s.end.IsZero() || t.Before(s.end))
}

// shownBefore tells whether the clocks showed clock already before the stretch, and if so, up to where
// they had come without a jump.
func (s stretch) shownBefore(clock time.Time) (until time.Time, shown bool) {
	for earlier := s; !earlier.start.IsZero() && clock.Add(-s.offset).Sub(earlier.start) < farthest; {
		earlier = stretchAt(earlier.start.Add(-time.Second))
		if _, ok := earlier.when(clock); ok {
			return earlier.until(), true
		}
	}
	return time.Time{}, false
}

// firstShown is the first instant at which the clocks of a zone show clock; false when they never do.
func firstShown(clock time.Time, zone *time.Location) (time.Time, bool) {
	for t := clock.Add(-farthest).In(zone); t.Before(clock.Add(farthest)); {
		s := stretchAt(t)
		if at, ok := s.when(clock); ok {
			return at, true
		}
		if s.end.IsZero() {
			break
		}
		t = s.end
	}
	return time.Time{}, false
}
