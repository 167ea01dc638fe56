package schedule

import (
	"strconv"
	"strings"
	"time"
)

const blanks = " \t"

// maxEvery is the longest rate that is read at all. What a task may have is far less, see CheckTimeout.
const maxEvery = 1000 * oneDay

// unwrap returns what stands between the parentheses of name(...). Blanks are allowed on both sides of
// the opening one only (rule EX-1).
func unwrap(text string, name Kind) (string, bool) {
	inner, opened := strings.CutPrefix(strings.TrimLeft(text[len(name):], blanks), "(")
	inner, closed := strings.CutSuffix(strings.TrimLeft(inner, blanks), ")")
	return inner, opened && closed
}

// parseRate reads rate(<int><s|m|h|d>) (rule EX-1). The text begins with "rate".
func parseRate(text string) (time.Duration, error) {
	inner, ok := unwrap(text, Rate)
	if !ok || inner == "" {
		return 0, BadRate.errorf("%s is not of the form rate(5m)", quote(text))
	}
	number := strings.TrimRight(inner[:len(inner)-1], blanks)
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return 0, BadRate.errorf("rate: %s is not a whole number followed by s, m, h or d", quote(inner))
	}
	unit := unitOf(inner[len(inner)-1])
	if unit == 0 {
		return 0, BadRate.errorf("rate: the unit of %s is none of s, m, h and d", quote(inner))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > int64(maxEvery/unit) {
		return 0, RateTooLarge.errorf("rate: an interval of %s is too long", quote(inner))
	}
	if n == 0 {
		return 0, BadRate.errorf("rate: the interval is 0")
	}
	return time.Duration(n) * unit, nil
}

func unitOf(letter byte) time.Duration {
	switch letter {
	case 's', 'S':
		return time.Second
	case 'm', 'M':
		return time.Minute
	case 'h', 'H':
		return time.Hour
	case 'd', 'D':
		return oneDay
	}
	return 0
}

// nextRate is the first created + n*every after after, n >= 1 (rule EX-2). It counts in seconds, which a
// rate consists of, because a time.Duration holds the distance of near times only.
func nextRate(every time.Duration, after, created time.Time) (time.Time, bool) {
	step := int64(every / time.Second)
	n := max((after.Unix()-created.Unix())/step, 1)
	t := time.Unix(created.Unix()+n*step, int64(created.Nanosecond())).UTC()
	if !t.After(after) {
		t = t.Add(every)
	}
	return t, t.After(after)
}

// A moment is the time of an at expression, if the clocks of its zone ever show it.
type moment struct {
	at     time.Time
	exists bool
	zone   *time.Location // nil when none was named
}

// parseAt reads at(yyyy-MM-dd HH:mm:ss <zone>), the zone being UTC when it is left out (rule EX-3). The
// text begins with "at".
func parseAt(text string) (moment, error) {
	inner, ok := unwrap(text, At)
	parts := strings.FieldsFunc(inner, isBlank)
	if !ok || len(parts) < 2 || len(parts) > 3 || strings.TrimRight(inner, blanks) != inner {
		return moment{}, BadAt.errorf("%s is not of the form at(2026-01-31 10:00:00) or at(2026-01-31 10:00:00 Europe/Berlin)", quote(text))
	}
	shown := parts[0] + " " + parts[1]
	clock, err := time.Parse(time.DateTime, shown)
	if err != nil || clock.Format(time.DateTime) != shown { // Parse takes 9:00:00, and fractions too
		return moment{}, BadAt.errorf("at: %s is not a date and time of the form yyyy-MM-dd HH:mm:ss", quote(shown))
	}
	zone, named := time.UTC, (*time.Location)(nil)
	if len(parts) == 3 {
		if zone, err = parseZone(parts[2]); err != nil {
			return moment{}, err
		}
		named = zone
	}
	at, exists := firstShown(clock, zone)
	return moment{at: at, exists: exists, zone: named}, nil
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }
