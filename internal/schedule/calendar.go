package schedule

import (
	"strings"
	"time"
)

// A calendar is a cron expression.
type calendar struct {
	seconds, minutes, hours set
	days                    days
	months                  set
	years                   set // since firstYear
	zone                    *time.Location
	extended                bool
}

// parseCron reads a cron expression of 6 to 8 fields (rule EX-5).
func parseCron(text string) (*calendar, error) {
	f := strings.FieldsFunc(text, isBlank)
	if len(f) < 6 || len(f) > 8 {
		return nil, BadCron.errorf("%s has not six to eight fields but %d: a cron expression has six, then perhaps a year, then perhaps a time zone", quote(text), len(f))
	}
	c := &calendar{extended: len(f) > 6}
	if err := c.parseClock(f[0], f[1], f[2]); err != nil {
		return nil, err
	}
	year, zone := yearAndZone(f[6:])
	if err := c.parseDates(f[3], f[4], f[5], year); err != nil {
		return nil, err
	}
	if err := c.parseZone(zone); err != nil {
		return nil, err
	}
	return c, nil
}

// yearAndZone tells what the fields after the sixth are (rule EX-5).
func yearAndZone(rest []string) (year, zone string) {
	switch {
	case len(rest) == 2:
		return rest[0], rest[1]
	case len(rest) == 1 && looksLikeYear(rest[0]):
		return rest[0], ""
	case len(rest) == 1:
		return "*", rest[0]
	}
	return "*", ""
}

// looksLikeYear tells the year from a zone when there is one field more than six (rule EX-5).
func looksLikeYear(text string) bool {
	if text == "*" || text == "?" {
		return true
	}
	if step, ok := strings.CutPrefix(text, "*/"); ok && step != "" && strings.Trim(step, digits) == "" {
		return true
	}
	for _, number := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, ok := parseNumber(number); ok && n >= firstYear && n <= lastYear {
			return true
		}
	}
	return false
}

func (c *calendar) parseClock(second, minute, hour string) (err error) {
	if c.seconds, err = secondField.parse(second); err != nil {
		return err
	}
	if c.minutes, err = minuteField.parse(minute); err != nil {
		return err
	}
	c.hours, err = hourField.parse(hour)
	return err
}

func (c *calendar) parseDates(day, month, weekday, year string) (err error) {
	if c.days.month, err = parseMonthDays(day); err != nil {
		return err
	}
	if c.months, err = monthField.parse(month); err != nil {
		return err
	}
	if c.days.week, err = parseWeekDays(weekday); err != nil {
		return err
	}
	if year == "?" {
		year = "*"
	}
	c.years, err = yearField.parse(year)
	return err
}

func (c *calendar) parseZone(text string) (err error) {
	if text == "" {
		return nil
	}
	if strings.Trim(text, digits+"*,-/") == "" {
		return BadZone.errorf("%s is neither a year from %d to %d nor a time zone", quote(text), firstYear, lastYear)
	}
	c.zone, err = parseZone(text)
	return err
}

// zoneOr is the zone of c, or else local, or else UTC.
func (c *calendar) zoneOr(local *time.Location) *time.Location {
	switch {
	case c.zone != nil:
		return c.zone
	case local != nil:
		return local
	}
	return time.UTC
}

// next is the first time after after (rule EX-11).
func (c *calendar) next(after time.Time, zone *time.Location) (time.Time, bool) {
	t := time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC).Add(-farthest)
	if !after.Before(t) {
		t = after.Truncate(time.Second).Add(time.Second)
	}
	for t.Before(endOfTime) {
		s := stretchAt(t.In(zone))
		if next, ok := c.within(s, s.shown(t)); ok {
			return next, true
		}
		if s.end.IsZero() {
			break
		}
		t = s.end
	}
	return time.Time{}, false
}

// within is the first time in s at which the clocks show something from clock on that matches and that
// they never showed before.
func (c *calendar) within(s stretch, clock time.Time) (time.Time, bool) {
	for {
		match, ok := c.seek(clock, s.until())
		if !ok {
			return time.Time{}, false
		}
		until, shown := s.shownBefore(match)
		if !shown {
			return match.Add(-s.offset).UTC(), true
		}
		clock = until
	}
}

// seek is the first clock that matches, from from on and before until.
func (c *calendar) seek(from, until time.Time) (time.Time, bool) {
	y, m, d := from.Date()
	day := date{y, int(m), d}
	match, later := c.seekClock(from.Clock())
	if !later {
		match, _ = c.seekClock(0, 0, 0)
		day.day++
	}
	found, ok := c.seekDate(day, until)
	if !ok {
		return time.Time{}, false
	}
	if found != day {
		match, _ = c.seekClock(0, 0, 0)
	}
	t := time.Date(found.year, time.Month(found.month), found.day, 0, 0, 0, 0, time.UTC).Add(match)
	return t, t.Before(until)
}

// seekClock is the first time of day that matches, counted from midnight, from the given one on.
func (c *calendar) seekClock(hour, minute, second int) (time.Duration, bool) {
	h, m, s := c.hours.from(hour), c.minutes.first(), c.seconds.first()
	if h == hour {
		if m = c.minutes.from(minute); m == minute {
			if s = c.seconds.from(second); s < 0 {
				m, s = c.minutes.from(minute+1), c.seconds.first()
			}
		}
		if m < 0 {
			h, m, s = c.hours.from(hour+1), c.minutes.first(), c.seconds.first()
		}
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second, h >= 0
}

// A date may lie behind the end of its month or year, by a day or a month.
type date struct{ year, month, day int }

// seekDate is the first date that matches, from d on, and not in a month after that of until.
func (c *calendar) seekDate(d date, until time.Time) (date, bool) {
	last := until.Year()*12 + int(until.Month())
	for d.year*12+d.month <= last {
		y, m := c.years.from(d.year-firstYear)+firstYear, c.months.from(d.month)
		switch {
		case y < firstYear:
			return date{}, false
		case y > d.year:
			d = date{y, 1, 1}
		case m < 0:
			d = date{d.year + 1, 1, 1}
		case m > d.month:
			d = date{d.year, m, 1}
		default:
			if day := c.days.from(d.day, monthOf(d.year, d.month)); day > 0 {
				return date{d.year, d.month, day}, true
			}
			d = date{d.year, d.month + 1, 1}
		}
	}
	return date{}, false
}
