package cli

import (
	"fmt"
	"time"
)

// Times as the API writes them, and as people say them.

// moment reads a time of an answer; the zero time of "".
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// since says how long ago a time of an answer is; "" for none.
func since(text string) string {
	t := moment(text)
	if t.IsZero() {
		return ""
	}
	return lasting(time.Since(t)) + " ago"
}

// dated is a time of an answer with how long ago it is; "" for none.
func dated(text string) string {
	if text == "" {
		return ""
	}
	return text + " (" + since(text) + ")"
}

// took says how long something took; "" when it has not begun, or is not over.
func took(start, finish string) string {
	from, to := moment(start), moment(finish)
	if from.IsZero() || to.IsZero() {
		return ""
	}
	if from.Equal(to) { // times of answers are in seconds
		return "<1s"
	}
	return lasting(to.Sub(from))
}

// lasting says a duration in its two largest units at most.
func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < 10*time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// countdown says when t will be, as seen at now, by clocks in zone.
func countdown(t, now time.Time, zone *time.Location) string {
	return onClock(t, now, zone) + ", in " + lasting(t.Sub(now))
}

// onClock says what clocks in zone show at t.
func onClock(t, now time.Time, zone *time.Location) string {
	t, now = t.In(zone), now.In(zone)
	clock := "15:04"
	if t.Second() != 0 {
		clock = "15:04:05"
	}
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	switch {
	case t.Before(today.AddDate(0, 0, 1)):
		return "today at " + t.Format(clock)
	case t.Before(today.AddDate(0, 0, 2)):
		return "tomorrow at " + t.Format(clock)
	case t.Before(today.AddDate(0, 0, 7)):
		return t.Format("Monday at " + clock)
	}
	return t.Format("2 January 2006 at " + clock)
}
