package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/schedule"
)

// times lists up to n times of e after after, as 2026-01-31T10:00:00Z.
func times(e schedule.Expression, after time.Time, local *time.Location, n int) []string {
	var all []string
	for len(all) < n {
		next, ok := e.Next(after, after, local)
		if !ok {
			break
		}
		all = append(all, next.Format(time.RFC3339))
		after = next
	}
	return all
}

// The published examples and those of the rules, from the beginning of 2026, a Thursday, in UTC.
func TestCronTimes(t *testing.T) {
	for _, c := range []struct{ rule, text, want string }{
		{"published", "0 */20 * * * *", "01-01T00:20 01-01T00:40 01-01T01:00"},
		{"published", "0 15 10 ? * *", "01-01T10:15 01-02T10:15 01-03T10:15"},
		{"published", "0 15 10 * * ?", "01-01T10:15 01-02T10:15 01-03T10:15"},
		{"published", "0 0 12 * * ?", "01-01T12:00 01-02T12:00"},
		{"published", "0 0 10,14,16 * * ?", "01-01T10:00 01-01T14:00 01-01T16:00 01-02T10:00"},
		{"published", "0 0/30 16-17 * * ?", "01-01T16:00 01-01T16:30 01-01T17:00 01-01T17:30 01-02T16:00"},
		{"published", "0 * 14 * * ?", "01-01T14:00 01-01T14:01 01-01T14:02"},
		{"published", "0 0-2 14 * * ?", "01-01T14:00 01-01T14:01 01-01T14:02 01-02T14:00"},
		{"published", "0 0/25 14,18 * * ?", "01-01T14:00 01-01T14:25 01-01T14:50 01-01T18:00"},
		{"published", "0 0 12 ? * WED", "01-07T12:00 01-14T12:00 01-21T12:00"},
		{"published", "0 15 10 15 * ?", "01-15T10:15 02-15T10:15 03-15T10:15"},
		{"published", "0 15 10 L * ?", "01-31T10:15 02-28T10:15 03-31T10:15 04-30T10:15"},
		{"published", "0 15 10 ? * 6L", "01-31T10:15 02-28T10:15 03-28T10:15"},
		{"published", "0 15 10 ? * 6#3", "01-17T10:15 02-21T10:15 03-21T10:15"},
		{"published", "0 10,44 14 ? 3 WED", "03-04T14:10 03-04T14:44 03-11T14:10"},
		{"published", "0 15 08 ? * * 2026", "01-01T08:15 01-02T08:15"},
		{"EX-6 names", "0 0 0 1 feb,Dec ?", "02-01T00:00 12-01T00:00"},
		{"EX-6 numbers of days", "0 0 0 ? * 1,7", "01-04T00:00 01-05T00:00 01-11T00:00"},
		{"EX-7 a/n", "0 3/20 * * * ?", "01-01T00:03 01-01T00:23 01-01T00:43 01-01T01:03"},
		{"EX-7 a-b/n", "0 0 8-18/4 * * ?", "01-01T08:00 01-01T12:00 01-01T16:00 01-02T08:00"},
		{"EX-7 */n begins at the lowest value", "0 0 0 */10 * ?", "01-11T00:00 01-21T00:00 01-31T00:00 02-01T00:00"},
		{"EX-7 either day", "0 0 0 13 * FRI", "01-02T00:00 01-09T00:00 01-13T00:00 01-16T00:00"},
		{"EX-7 either day, with specials", "0 0 0 L * 4#2", "01-08T00:00 01-31T00:00 02-12T00:00 02-28T00:00"},
		{"EX-7 neither day", "0 0 0 ? * ?", "01-02T00:00 01-03T00:00"},
		{"EX-8 L is Sunday", "0 0 0 ? * L", "01-04T00:00 01-11T00:00"},
		{"EX-8 LW", "0 0 0 LW * ?", "01-30T00:00 02-27T00:00 03-31T00:00 04-30T00:00 05-29T00:00"},
		{"EX-8 5W on Sunday, Saturday", "0 0 0 5W 4,9 ?", "04-06T00:00 09-04T00:00"},
		{"EX-8 1W on Saturday", "0 0 0 1W 8 ?", "08-03T00:00"},
		{"EX-8 31W on Sunday", "0 0 0 31W * ?", "01-30T00:00 03-31T00:00 05-29T00:00 07-31T00:00"},
		{"EX-8 4#2", "0 0 0 ? * 4#2", "01-08T00:00 02-12T00:00 03-12T00:00"},
		{"EX-8 #5", "0 0 0 ? * THU#5", "01-29T00:00 04-30T00:00 07-30T00:00"},
		{"EX-9 offsets", "0 0 0 * * ? GMT+8:00", "01-01T16:00 01-02T16:00"},
		{"EX-9 offsets", "0 0 0 * * ? gmt-3:30", "01-01T03:30 01-02T03:30"},
		{"EX-9 zones", "0 0 9 * 1 ? America/New_York", "01-01T14:00 01-02T14:00"},
		{"EX-9 zones", "0 0 9 * 1 ? Etc/GMT+5", "01-01T14:00 01-02T14:00"},
		{"EX-9 GMT", "0 0 9 * * ? * GMT", "01-01T09:00 01-02T09:00"},
	} {
		want := strings.Fields(c.want)
		for i := range want {
			want[i] = "2026-" + want[i] + ":00Z"
		}
		got := times(parse(t, c.text), at(t, "2026-01-01T00:00:00Z"), nil, len(want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", c.rule, c.text, diff)
		}
	}
}

// EX-6, EX-7: years.
func TestCronYears(t *testing.T) {
	for text, want := range map[string][]string{
		"0 0 0 1 1 ? 2022/2":               {"2028", "2030", "2032"},
		"0 0 0 1 1 ? */50":                 {"2070"},
		"0 0 0 1 1 ? 2095-2099/2 UTC":      {"2095", "2097", "2099"},
		"0 0 0 29 2 ?":                     {"2028", "2032", "2036"},
		"0 0 0 29 2 ? * UTC":               {"2028", "2032", "2036"},
		"59 59 23 31 12 ? ?":               {"2026", "2027", "2028"},
		"59 59 23 31 12 ? 2099 GMT-12:59":  {"2100"}, // in UTC
		"0 0 0 1 1 ? 2027 Pacific/Apia":    {"2026"}, // in UTC
		"0 0 0 ? 2 7#5":                    {"2032", "2060", "2088"},
		"0 0 0 31W 10 ? 1999,2027,2001":    {"2027"},
		"0 0 0 1 1 ? 2025,2030 GMT+14:00 ": {"2029"}, // in UTC
	} {
		got := times(parse(t, text), at(t, "2026-01-01T00:00:00Z"), nil, 3)
		for i := range got {
			got[i] = got[i][:4]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// EX-4, SC-6: an expression without a time in the future is well-formed.
func TestNoFurtherTime(t *testing.T) {
	now := at(t, "2026-01-01T00:00:00Z")
	for _, text := range []string{
		"0 0 0 31 2 ?", "0 0 0 30W 2 ?", "0 0 0 31 4,6,9,11 ? * Europe/Berlin", "0 0 0 ? 2 7#5 2026",
		"0 0 0 1 1 ? 1999", "0 0 0 * * ? 1970-2025", "0 0 0 1 1 ? 2026", "at(2025-12-31 23:59:59)", "at(2026-01-01 00:00:00)",
		"at(2026-01-01 07:59:59 Asia/Shanghai)",
	} {
		for _, local := range []*time.Location{nil, time.UTC, zone(t, "Africa/Casablanca")} {
			e := parse(t, text)
			if local != nil && local != time.UTC && e.NeedsZone() && strings.HasSuffix(text, "2026") {
				continue // begins an hour later there
			}
			if next, ok := e.Next(now, now, local); ok {
				t.Errorf("%s in %v: next is %v, want none", text, local, next)
			}
		}
	}
	if _, ok := (schedule.Expression{}).Next(now, now, nil); ok {
		t.Error("the zero expression has a time")
	}
}

// The work for an expression that never matches is bounded: 100 of them take some milliseconds.
func TestNeverIsFoundOutFast(t *testing.T) {
	begin := time.Now()
	for range 100 {
		if next, ok := parse(t, "* * * 31 2,4,6,9,11 ? * America/New_York").Next(time.Time{}, begin, nil); ok {
			t.Fatalf("next is %v", next)
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTimesAreAfterAfter(t *testing.T) {
	e := parse(t, "*/10 * * * * ?")
	for after, want := range map[string]string{
		"2026-01-01T00:00:00Z":           "2026-01-01T00:00:10Z",
		"2026-01-01T00:00:09.999999999Z": "2026-01-01T00:00:10Z",
		"2026-01-01T00:00:10.000000001Z": "2026-01-01T00:00:20Z",
		"2026-01-01T02:00:05+02:00":      "2026-01-01T00:00:10Z",
		"1969-12-31T23:59:59.5Z":         "1970-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z":           "1970-01-01T00:00:00Z",
		"2099-12-31T23:59:45Z":           "2099-12-31T23:59:50Z",
	} {
		if got := times(e, at(t, after), nil, 1); len(got) != 1 || got[0] != want {
			t.Errorf("after %s: %v, want %s", after, got, want)
		}
	}
	for _, after := range []string{"2099-12-31T23:59:50Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		if got := times(e, at(t, after), nil, 1); got != nil {
			t.Errorf("after %s: %v, want none", after, got)
		}
	}
}

// EX-2
func TestRateTimesCountFromCreation(t *testing.T) {
	created := at(t, "2026-01-01T10:00:00.25Z")
	for _, c := range []struct{ rate, after, want string }{
		{"rate(5m)", "2026-01-01T10:00:00.25Z", "2026-01-01T10:05:00.25Z"}, // never at creation
		{"rate(5m)", "2026-01-01T10:05:00.24Z", "2026-01-01T10:05:00.25Z"},
		{"rate(5m)", "2026-01-01T10:05:00.25Z", "2026-01-01T10:10:00.25Z"},
		{"rate(5m)", "2026-01-01T10:07:00Z", "2026-01-01T10:10:00.25Z"},
		{"rate(5m)", "2025-06-01T00:00:00Z", "2026-01-01T10:05:00.25Z"}, // a clock that is behind
		{"rate(7d)", "2026-01-08T10:00:00.25Z", "2026-01-15T10:00:00.25Z"},
		{"rate(7d)", "2400-01-01T00:00:00Z", "2400-01-06T10:00:00.25Z"}, // farther than a Duration reaches
		{"rate(90s)", "0001-01-01T00:00:00Z", "2026-01-01T10:01:30.25Z"},
	} {
		got, ok := parse(t, c.rate).Next(at(t, c.after), created, time.Local)
		if !ok || !got.Equal(at(t, c.want)) {
			t.Errorf("%s after %s = %v, %v, want %s", c.rate, c.after, got, ok, c.want)
		}
	}
}

// EX-3
func TestAtRunsOnce(t *testing.T) {
	for text, want := range map[string]string{
		"at(2026-06-06 13:15:30)":                  "2026-06-06T13:15:30Z",
		"at(2026-06-06 13:15:30 UTC)":              "2026-06-06T13:15:30Z",
		"at(2026-06-06 13:15:30 GMT+8:00)":         "2026-06-06T05:15:30Z",
		"at(2026-06-06 13:15:30 Asia/Shanghai)":    "2026-06-06T05:15:30Z",
		"at(2026-06-06 13:15:30 America/New_York)": "2026-06-06T17:15:30Z",
		"at(2028-02-29 00:00:00)":                  "2028-02-29T00:00:00Z",
		"at(9999-12-31 23:59:59)":                  "9999-12-31T23:59:59Z",
	} {
		got := times(parse(t, text), at(t, "2026-01-01T00:00:00Z"), zone(t, "Asia/Tokyo"), 3)
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s runs at %v, want %s", text, got, want)
		}
	}
}

// EX-9: a cron expression without a zone follows the machine's.
func TestCronWithoutZoneFollowsTheMachine(t *testing.T) {
	now := at(t, "2026-07-01T00:00:00Z")
	for _, c := range []struct{ text, local, want string }{
		{"0 0 9 * * ?", "Asia/Shanghai", "2026-07-01T01:00:00Z"},
		{"0 0 9 * * ?", "Europe/Berlin", "2026-07-01T07:00:00Z"},
		{"0 0 9 * * ? 2026", "America/New_York", "2026-07-01T13:00:00Z"},
		{"0 0 9 * * ? UTC", "America/New_York", "2026-07-01T09:00:00Z"},
	} {
		if got := times(parse(t, c.text), now, zone(t, c.local), 1); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s in %s runs at %v, want %s", c.text, c.local, got, c.want)
		}
	}
}

// EX-11
func TestClocksThatAreMoved(t *testing.T) {
	for _, c := range []struct{ what, text, after, want string }{
		{"02:30 is jumped over", "0 30 2 * * ? Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z 2026-03-30T00:30:00Z"},
		{"02:30 comes twice", "0 30 2 * * ? Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-24T00:30:00Z 2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"an hour comes twice", "0 0/30 * * * ? Europe/Berlin", "2026-10-24T23:59:00Z", "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-25T02:00:00Z"},
		{"after the first, in the second", "0 30 2 * * ? Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-26T01:30:00Z"},
		{"an hour is missing", "0 0/30 * * * ? Europe/Berlin", "2026-03-29T00:15:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
		{"01:45 comes twice", "0 45 1 * * ? Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z"},
		{"02:15 is jumped over", "0 15 2 * * ? Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-02T15:45:00Z 2026-10-04T15:15:00Z"},
		{"a day is jumped over", "0 0 12 30 12 ? Pacific/Apia", "2011-01-01T00:00:00Z", "2012-12-29T22:00:00Z"},
		{"midnight is jumped over", "0 0 0 * * ? America/Havana", "2026-03-07T12:00:00Z", "2026-03-09T04:00:00Z"},
		{"at is jumped over", "at(2026-03-29 02:30:00 Europe/Berlin)", "2026-01-01T00:00:00Z", ""},
		{"at comes twice", "at(2026-10-25 02:30:00 Europe/Berlin)", "2026-01-01T00:00:00Z", "2026-10-25T00:30:00Z"},
	} {
		want := strings.Fields(c.want)
		got := times(parse(t, c.text), at(t, c.after), nil, max(len(want), 1))
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s runs at %v, want %v", c.what, c.text, got, want)
		}
	}
}
