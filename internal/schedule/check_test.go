package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/schedule"
)

func TestRunsEndBeforeTheNextBegins(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		rule, text string
		timeout    time.Duration
		want       schedule.Code
	}{
		{"EX-1 shortest", "rate(60s)", 59 * time.Second, ""},
		{"EX-1 shortest", "rate(59s)", 10 * time.Second, schedule.BadRate},
		{"EX-1 longest", "rate(7d)", time.Hour, ""},
		{"EX-1 longest", "rate(168h)", week - 1, ""},
		{"EX-1 longest", "rate(169h)", time.Hour, schedule.RateTooLarge},
		{"EX-1 strictly greater", "rate(5m)", 5 * time.Minute, schedule.BadRate},
		{"EX-1 strictly greater", "rate(5m)", 5*time.Minute - 1, ""},
		{"EX-10 greater or equal", "0 0/5 * * * ?", 5 * time.Minute, ""},
		{"EX-10 greater or equal", "0 0/5 * * * ?", 5*time.Minute + 1, schedule.BadCron},
		{"EX-10 10 seconds", "*/10 * * * * ?", time.Second, ""},
		{"EX-10 10 seconds", "*/9 * * * * ?", time.Second, schedule.BadCron},
		{"EX-10 10 seconds", "* * * * * ?", 0, schedule.BadCron},
		{"EX-10 also over the minute's end", "0,55 * * * * ?", time.Second, schedule.BadCron},
		{"EX-10 also over the minute's end", "0/50 * * * * ?", 10 * time.Second, ""},
		{"EX-10 also over midnight", "0 0 1,23 * * ?", 3 * time.Hour, schedule.BadCron},
		{"EX-10 also over midnight", "0 0 1,23 * * ?", 2 * time.Hour, ""},
		{"EX-10 after 240 times", "0 0-54/3,58 0/2,23 * * ?", 2 * time.Minute, ""},
		{"EX-10 after 240 times", "0 0-54/3,58 0/2,23 * * ?", 3 * time.Minute, schedule.BadCron},
		{"EX-10 a day apart", "0 0 12 * * ?", 24 * time.Hour, ""},
		{"EX-10 a day apart", "0 0 12 * * ?", 24*time.Hour + 1, schedule.BadCron},
		{"EX-10 far from now", "0 0,1 0 1 12 ?", 5 * time.Minute, schedule.BadCron},
		{"EX-10 far from now", "0 0,1 0 1 12 ?", time.Minute, ""},
		{"EX-10 one time left", "0 0 0 1 1 ? 2030", 24 * time.Hour, ""},
		{"EX-10 beyond 24 hours", "0 0 0 1,3 * ?", 72 * time.Hour, ""},
		{"EX-4 no time left", "0 0 0 1 1 ? 1999", time.Hour, ""},
		{"EX-4 no time ever", "0 0 0 31 2 ?", time.Hour, ""},
		{"at", "at(2030-01-01 00:00:00)", 24 * time.Hour, ""},
		{"at", "at(1999-01-01 00:00:00)", 24 * time.Hour, ""},
	} {
		err := parse(t, c.text).CheckTimeout(c.timeout, at(t, "2026-05-01T00:00:00Z"))
		if code(err) != c.want {
			t.Errorf("%s: %s with a timeout of %v: %v, want %q", c.rule, c.text, c.timeout, err, c.want)
		}
	}
}

func code(err error) schedule.Code {
	var fault *schedule.Error
	if errors.As(err, &fault) {
		return fault.Code
	}
	return ""
}

// EX-10, EX-11: the distance is one of instants, not of what clocks show.
func TestGapsAreMeasuredInElapsedTime(t *testing.T) {
	e := parse(t, "0 30 1,3 * * ? Europe/Berlin") // an hour apart when the clocks are put forward
	if err := e.CheckTimeout(2*time.Hour, at(t, "2026-03-20T00:00:00Z")); err != nil {
		t.Error(err)
	}
	if err := e.CheckTimeout(2*time.Hour, at(t, "2026-03-28T12:00:00Z")); err == nil {
		t.Error("two hours passed on the day that has one")
	}
}

func TestTheMessageNamesTheTimes(t *testing.T) {
	err := parse(t, "0 0/5 * * * ?").CheckTimeout(time.Hour, at(t, "2026-05-01T08:31:00Z"))
	for _, part := range []string{"2026-05-01T08:35:00Z", "5m", "1h"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}
