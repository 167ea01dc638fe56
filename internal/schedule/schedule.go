package schedule

import (
	"strings"
	"time"
)

// A Kind is one of the three sorts of expressions.
type Kind string

// The kinds of expressions.
const (
	Rate Kind = "rate"
	At   Kind = "at"
	Cron Kind = "cron"
)

// An Expression says when something runs. It never changes, so that goroutines may share it. The zero
// Expression has no times.
type Expression struct {
	text  string
	kind  Kind
	every time.Duration // of a rate
	once  moment        // of an at
	cron  *calendar
}

// Parse reads an expression (rules EX-1 to EX-9). Every error is an [*Error].
//
// What depends on the clock, on the timeout of a command or on where it runs is not looked at: an
// expression without any time in the future is a good one, and so is one that repeats too often, which
// [Expression.CheckTimeout] finds.
func Parse(text string) (Expression, error) {
	var err error
	e := Expression{text: text, kind: kindOf(text)}
	switch e.kind {
	case Rate:
		e.every, err = parseRate(text)
	case At:
		e.once, err = parseAt(text)
	default:
		e.cron, err = parseCron(text)
	}
	if err != nil {
		return Expression{}, err
	}
	return e, nil
}

// kindOf tells what text is meant to be, also when it is malformed. No cron begins with a letter that
// rate or at begins with.
func kindOf(text string) Kind {
	for _, k := range []Kind{Rate, At} {
		if len(text) >= len(k) && strings.EqualFold(text[:len(k)], string(k)) {
			return k
		}
	}
	return Cron
}

// Kind tells which sort of expression e is.
func (e Expression) Kind() Kind { return e.kind }

// String is the text that e was read from.
func (e Expression) String() string { return e.text }

// Interval is the time between two runs of a rate, and 0 for the other kinds.
func (e Expression) Interval() time.Duration { return e.every }

// NeedsZone reports whether the times of e depend on the zone of the machine: it is a cron expression
// that names none (rule EX-9).
func (e Expression) NeedsZone() bool { return e.kind == Cron && e.cron.zone == nil }

// Zone is the zone that e names, nil when it names none: then a cron expression is read off the clock of
// the machine, and an at expression off that of UTC.
func (e Expression) Zone() *time.Location {
	switch e.kind {
	case At:
		return e.once.zone
	case Cron:
		return e.cron.zone
	}
	return nil
}

// Extended reports whether e is more than a cron expression of six fields, which old agents do not
// understand (rule EX-12).
func (e Expression) Extended() bool { return e.kind != Cron || e.cron.extended }

// Next is the first time after after, in UTC; false when there is none, now or ever after. The times of
// a rate count from created (rule EX-2), those of a cron expression without a zone are read off clocks
// in local (rule EX-9; nil is UTC). The other kinds look at neither.
func (e Expression) Next(after, created time.Time, local *time.Location) (time.Time, bool) {
	switch e.kind {
	case Rate:
		return nextRate(e.every, after, created)
	case At:
		return e.once.at, e.once.exists && e.once.at.After(after)
	case Cron:
		return e.cron.next(after, e.cron.zoneOr(local))
	}
	return time.Time{}, false
}

// Expired is the code of a task whose expression has no time left before its first run (rules EX-4,
// SC-6). A rate always has one.
func (e Expression) Expired() Code {
	switch e.kind {
	case At:
		return AtExpired
	case Cron:
		return CronExpired
	}
	return ""
}
