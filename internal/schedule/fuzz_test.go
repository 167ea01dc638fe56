package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/orderly-run/orderly/internal/schedule"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "rate(5m)", "RATE ( 90 S)", "rate(0s)", "rate(99999999999999999999d)", "at(2026-06-06 13:15:30 Asia/Shanghai)", "at(0000-01-01 00:00:00)",
		"at(9999-12-31 23:59:59 Pacific/Kiritimati)", "0 */20 * * * *", "0 15 10 ? * 6#3", "0 15 10 LW * ?", "0 15 10 5W,L * 6L", "0 0 0 31 2 ?",
		"* * * * * * 2022/2 GMT-12:59", "0 0/5 14,18-20/2 ? JAN-MAR mon-fri 1970-2099 Africa/Casablanca", "0 0 0 29 2 ? 2099 Europe/Berlin",
		"1,2,3 08 * 31W 2,4 4#5 */3 Australia/Lord_Howe", "0 0 0 * * ? ../../etc/passwd", "0 0 0 * * ? GMT+8", "00 00 00 01 01 ? ?",
	} {
		f.Add(text, int64(1_767_225_600_000))
	}
	f.Add("* * * * * ?", int64(-1<<62))
	f.Add("rate(1000d)", int64(1<<62))
	local, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, millis int64) {
		begin := time.Now()
		e, err := schedule.Parse(text)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if again, err := schedule.Parse(e.String()); err != nil || again.Kind() != e.Kind() || again.Interval() != e.Interval() || again.Extended() != e.Extended() {
			t.Errorf("%q read again is %q, %v", e, again, err)
		}
		after := time.UnixMilli(millis)
		for range 5 {
			next, ok := e.Next(after, time.UnixMilli(1_767_225_600_000), local)
			if !ok {
				break
			}
			if !next.After(after) {
				t.Fatalf("%q: Next(%v) = %v", e, after, next)
			}
			checkClock(t, e, next, local)
			after = next
		}
		_ = e.CheckTimeout(time.Minute, after) // takes the time it takes
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%q took %v", e, took)
		}
	})
}

// checkRefusal looks at what the author of an expression is told.
func checkRefusal(t *testing.T, err error) {
	var fault *schedule.Error
	if !errors.As(err, &fault) || fault.Code == "" || fault.Message == "" || len(fault.Message) > 400 || !utf8.ValidString(fault.Message) {
		t.Errorf("refused with %#v", err)
	}
}

// checkClock asks the oracle about a time of a cron expression.
func checkClock(t *testing.T, e schedule.Expression, next time.Time, local *time.Location) {
	if e.Kind() != schedule.Cron {
		return
	}
	text := e.String()
	if f := strings.Fields(text); !e.NeedsZone() {
		name := f[len(f)-1]
		zone, err := time.LoadLocation(name)
		if err != nil {
			return // an offset
		}
		local, text = zone, strings.Join(f[:len(f)-1], " ")
	}
	_, offset := next.In(local).Zone()
	clock := next.Add(time.Duration(offset) * time.Second).UTC()
	if o := judge(text); !o.second[clock.Second()] || !o.minute[clock.Minute()] || !o.hour[clock.Hour()] || !o.date(clock) {
		t.Errorf("%q: %v does not match", e, clock)
	}
}
