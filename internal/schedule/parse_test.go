package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests are about the zones, not about the machine

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
)

func parse(t testing.TB, text string) schedule.Expression {
	t.Helper()
	e, err := schedule.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return e
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestKindsAndWhatTheyNeed(t *testing.T) {
	for _, c := range []struct {
		rule, text      string
		kind            schedule.Kind
		zone, extended  bool
		every           time.Duration
		codeWhenExpired schedule.Code
	}{
		{"EX-1", "rate(5m)", schedule.Rate, false, true, 5 * time.Minute, ""},
		{"EX-1", "RATE \t ( 90 S)", schedule.Rate, false, true, 90 * time.Second, ""},
		{"EX-1", "Rate(24H)", schedule.Rate, false, true, 24 * time.Hour, ""},
		{"EX-1", "rate(07d)", schedule.Rate, false, true, 7 * 24 * time.Hour, ""},
		{"EX-1: the limits are CheckTimeout's", "rate(1s)", schedule.Rate, false, true, time.Second, ""},
		{"EX-3", "at(2020-06-06 13:15:30)", schedule.At, false, true, 0, schedule.AtExpired},
		{"EX-3", "AT ( 2020-06-06  13:15:30\tAsia/Shanghai)", schedule.At, false, true, 0, schedule.AtExpired},
		{"EX-5", "0 */20 * * * *", schedule.Cron, true, false, 0, schedule.CronExpired},
		{"EX-5", " 0  0/5\t14 * * ? ", schedule.Cron, true, false, 0, schedule.CronExpired},
		{"EX-12", "0 0 12 * * ? 2030", schedule.Cron, true, true, 0, schedule.CronExpired},
		{"EX-12", "0 0 12 * * ? UTC", schedule.Cron, false, true, 0, schedule.CronExpired},
		{"EX-12", "0 0 12 * * ? * Europe/Berlin", schedule.Cron, false, true, 0, schedule.CronExpired},
	} {
		e := parse(t, c.text)
		if e.Kind() != c.kind || e.NeedsZone() != c.zone || e.Extended() != c.extended || e.Interval() != c.every || e.Expired() != c.codeWhenExpired {
			t.Errorf("%s: %q is %s, needs zone %v, extended %v, every %v, expired %s, want %+v",
				c.rule, c.text, e.Kind(), e.NeedsZone(), e.Extended(), e.Interval(), e.Expired(), c)
		}
		if e.String() != c.text {
			t.Errorf("String of %q = %q", c.text, e.String())
		}
	}
}

// EX-5: what the seventh of seven fields is.
func TestSeventhFieldIsYearOrZone(t *testing.T) {
	for text, isZone := range map[string]bool{
		"*": false, "?": false, "*/2": false, "1970": false, "2099": false, "02030": false,
		"2022/2": false, "2026-2030": false, "2026,2028": false,
		"UTC": true, "gmt": true, "GMT+8:00": true, "GMT-0:30": true, "Asia/Shanghai": true, "Etc/GMT+8": true,
		"America/Argentina/Buenos_Aires": true,
	} {
		if e := parse(t, "0 0 12 * * ? "+text); e.NeedsZone() == isZone {
			t.Errorf("%s: read as a zone is %v, want %v", text, !isZone, isZone)
		}
	}
	for text, want := range map[string]schedule.Code{
		"1969": schedule.BadZone, "2100": schedule.BadZone, "002030": schedule.BadZone, "*,*": schedule.BadZone, "5/2": schedule.BadZone,
		"2098-2100": schedule.BadCron, "1960-2000": schedule.BadCron, "2030-2020": schedule.BadCron, "*/0": schedule.BadCron,
		"?/2030": schedule.BadCron, "2030x": schedule.BadCron,
	} {
		_ = wantCode(t, "0 0 12 * * ? "+text, want)
	}
}

// EX-5 to EX-8: what the fields take.
func TestFieldsTakeTheirValues(t *testing.T) {
	fields := strings.Fields("second minute hour day month weekday year")
	for field, values := range map[string]string{
		"second":  "0 00 08 59 * */5 */59 5-20 5-20/3 3/20 0,30 0-5,30-35 *,5 5-5",
		"minute":  "0 59 */20 0/05",
		"hour":    "0 23 08 9-17 */6 0-23/23",
		"day":     "1 31 01 ? * */2 1-15 1,15 10/5 L l LW lW 5W 31w 1W,15W 5W,20-22",
		"month":   "1 12 01 JAN dec Jan-Mar 1-DEC JAN/3 */2 FEB,4,6-8",
		"weekday": "1 7 ? * 01 MON sun Mon-Fri 1-SUN MON,WED L l 6L SATL 4#2 thu#2 7#5 1#1,3#3 */2 MON/2",
		"year":    "? * 1970 2099 2022/2 2026-2030/2",
	} {
		for value := range strings.FieldsSeq(values) {
			f := strings.Fields("0 0 0 * * ? *")
			f[index(fields, field)] = value
			parse(t, strings.Join(f, " "))
		}
	}
}

func TestFieldsRefuseTheRest(t *testing.T) {
	fields := strings.Fields("second minute hour day month weekday year")
	for field, values := range map[string]string{
		"second": "60 000 008 -1 +1 1- -1-2 5-2 */0 */60 0/60 0/ /5 */ */* 1/2/3 1-2-3 ? ?/5 L 5W 1#1 , 1, ,1 1,,2 x 1x x1 ½ ٣ " +
			"99999999999999999999 0x1 1e1 1.5 1_0 **",
		"minute":  "60 ? 0/60",
		"hour":    "24 22-2 ?",
		"day":     "0 32 00 LL L-3 L,5 5,L 1-L L/2 5L WL W 15-20W 15W/2 0W 32W 1#1 ?,5 MON */32 LW,5",
		"month":   "0 13 00 JANUARY ? FOO L DEC-JAN */13 JAN-",
		"weekday": "0 8 00 MONDAY LW 5W L,1 1,L 6L,7L 1-5L 8L 0L #5 5# 4#0 4#6 1-5#2 4#2/2 ?,1 SUN-MON 6-1 */8 L#2 4#2L",
		"year":    "1969 2100 0 30 2030-2020 L */0 02",
	} {
		for value := range strings.FieldsSeq(values) {
			f := strings.Fields("0 0 0 * * ? * UTC")
			f[index(fields, field)] = value
			err := wantCode(t, strings.Join(f, " "), schedule.BadCron)
			name := strings.NewReplacer("weekday", "day of the week").Replace(field)
			if err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %q does not name the field", field, value, err)
			}
		}
	}
}

func index(of []string, s string) int {
	for i := range of {
		if of[i] == s {
			return i
		}
	}
	panic(s)
}

func TestMalformedExpressionsAreRefusedWithTheirCode(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		want       schedule.Code
	}{
		{"EX-5", "", schedule.BadCron},
		{"EX-5", "   ", schedule.BadCron},
		{"EX-5", "hello", schedule.BadCron},
		{"EX-5", "@daily", schedule.BadCron},
		{"EX-5", "* * * * *", schedule.BadCron},
		{"EX-5", "0 0 0 * * ? 2030 UTC x", schedule.BadCron},
		{"EX-5", "0 0 0 * * ?\n2030", schedule.BadCron},
		{"EX-1", "rate", schedule.BadRate},
		{"EX-1", "rate(", schedule.BadRate},
		{"EX-1", "rate()", schedule.BadRate},
		{"EX-1", "rate(m)", schedule.BadRate},
		{"EX-1", "rate(5)", schedule.BadRate},
		{"EX-1", "rate(0m)", schedule.BadRate},
		{"EX-1", "rate(-5m)", schedule.BadRate},
		{"EX-1", "rate(+5m)", schedule.BadRate},
		{"EX-1", "rate(1.5h)", schedule.BadRate},
		{"EX-1", "rate(5w)", schedule.BadRate},
		{"EX-1", "rate(5min)", schedule.BadRate},
		{"EX-1", "rate(5m )", schedule.BadRate},
		{"EX-1", "rate(5m) ", schedule.BadRate},
		{"EX-1", "rate(5m))", schedule.BadRate},
		{"EX-1", "rate 5m", schedule.BadRate},
		{"EX-1", "rates(5m)", schedule.BadRate},
		{"EX-1", " rate(5m)", schedule.BadCron},
		{"EX-1", "rate(1001d)", schedule.RateTooLarge},
		{"EX-1", "rate(99999999999999999999s)", schedule.RateTooLarge},
		{"EX-3", "at", schedule.BadAt},
		{"EX-3", "at()", schedule.BadAt},
		{"EX-3", "at(2030-01-01)", schedule.BadAt},
		{"EX-3", "at(2030-01-01T10:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 10:00)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 9:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-1-01 09:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 09:00:00.5)", schedule.BadAt},
		{"EX-3", "at(2030-02-29 10:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-13-01 10:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 24:00:00)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 10:00:60)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 10:00:00 UTC x)", schedule.BadAt},
		{"EX-3", "at(2030-01-01 10:00:00 )", schedule.BadAt},
		{"EX-3", "at(2030-01-01 10:00:00) ", schedule.BadAt},
		{"EX-9", "at(2030-01-01 10:00:00 CET)", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? CET", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? Local", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? Europe/Atlantis", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? Europe/", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? /Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? Europe//Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? ./Europe/Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? ../../etc/passwd", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? /etc/localtime", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? right/Europe/Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? posix/Europe/Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? Euröpe/Berlin", schedule.BadZone},
		{"EX-9", "0 0 0 * * ? GMT+8", schedule.BadOffset},
		{"EX-9", "0 0 0 * * ? UTC+8:00", schedule.BadOffset},
		{"EX-9", "0 0 0 * * ? +8:00", schedule.BadOffset},
		{"EX-9", "0 0 0 * * ? GMT8:00-", schedule.BadOffset},
		{"EX-9", "0 0 0 * * ? GMT+08:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT+00:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT+:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT+-8:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT+15:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT-13:00", schedule.BadHour},
		{"EX-9", "0 0 0 * * ? GMT+8:60", schedule.BadMinute},
		{"EX-9", "0 0 0 * * ? GMT+8:0", schedule.BadMinute},
		{"EX-9", "0 0 0 * * ? GMT+8:000", schedule.BadMinute},
		{"EX-9", "0 0 0 * * ? GMT+8:", schedule.BadMinute},
	} {
		t.Run(c.rule, func(t *testing.T) { _ = wantCode(t, c.text, c.want) })
	}
}

// wantCode parses what is to be refused and returns the error.
func wantCode(t *testing.T, text string, want schedule.Code) error {
	t.Helper()
	e, err := schedule.Parse(text)
	var fault *schedule.Error
	if !errors.As(err, &fault) {
		t.Errorf("Parse(%q) = %v, %v, want %s", text, e, err, want)
		return nil
	}
	if fault.Code != want {
		t.Errorf("Parse(%q) = %s (%s), want %s", text, fault.Code, err, want)
	}
	if len(err.Error()) < 10 || len(err.Error()) > 250 {
		t.Errorf("Parse(%q) says %q", text, err)
	}
	return err
}

// A machine ends a task with the codes as they are.
func TestCodesAreThoseOfTasks(t *testing.T) {
	for code, want := range map[schedule.Code]orderly.ErrorCode{
		schedule.BadCron:      orderly.BadCronExpression,
		schedule.CronExpired:  orderly.CronExpressionExpired,
		schedule.BadRate:      orderly.InvalidRateExpression,
		schedule.RateTooLarge: orderly.RateFrequencyTooLarge,
		schedule.BadAt:        orderly.InvalidAtExpression,
		schedule.AtExpired:    orderly.AtExpressionExpired,
		schedule.BadOffset:    orderly.InvalidGMTOffsetForTimezone,
		schedule.BadHour:      orderly.InvalidGMTOffsetHourForTimezone,
		schedule.BadMinute:    orderly.InvalidGMTOffsetMinuteForTimezone,
		schedule.BadZone:      orderly.TimezoneInformationCorrupt,
	} {
		if string(code) != string(want) {
			t.Errorf("%s, want %s", code, want)
		}
	}
}

// A message tells the part that is wrong, not all of what a stranger sent.
func TestMessagesAreShort(t *testing.T) {
	long := strings.Repeat("9", 1<<16)
	for _, text := range []string{long, "rate(" + long + ")", "rate(" + long + "m)", "at(" + long + ")", "0 0 0 * * ? " + long, "0 0 0 * * ? a/" + long,
		"0 0 0 * * ? GMT+" + long + ":00", long + " 0 0 * * ?", "0/" + long + " 0 0 * * ?", "0 0 0 ? * 1#" + long, "0 0 0 " + long + "W * ?"} {
		_, err := schedule.Parse(text)
		if err == nil || len(err.Error()) > 250 {
			t.Errorf("%.20s...: error of %d bytes", text, len(err.Error()))
		}
	}
}

// What is shown to people says by which clock (EX-3, EX-9).
func TestZoneIsTheOneThatIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"0 0 12 * * ?": "<nil>", "0 0 12 * * ? Asia/Shanghai": "Asia/Shanghai", "0 0 12 * * ? 2030 UTC": "UTC", "rate(5m)": "<nil>",
		"at(2030-01-31 10:00:00)": "<nil>", "at(2030-01-31 10:00:00 Europe/Berlin)": "Europe/Berlin",
	} {
		got := "<nil>"
		if z := parse(t, text).Zone(); z != nil {
			got = z.String()
		}
		if got != want {
			t.Errorf("zone of %s = %s, want %s", text, got, want)
		}
	}
}
