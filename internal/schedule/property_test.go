package schedule_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly/internal/schedule"
)

// item draws one of *, a, a-b, */n, a/n, a-b/n with numbers from low to high.
func item(low, high int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		a := rapid.IntRange(low, high).Draw(t, "a")
		text := rapid.SampledFrom([]string{"*", "%d", "%d", "%02d", "%d-%d"}).Draw(t, "form")
		switch strings.Count(text, "%") {
		case 1:
			text = fmt.Sprintf(text, a)
		case 2:
			text = fmt.Sprintf(text, a, rapid.IntRange(a, high).Draw(t, "b"))
		}
		if rapid.Bool().Draw(t, "stepped") {
			text += fmt.Sprintf("/%d", rapid.IntRange(1, high).Draw(t, "step"))
		}
		return text
	})
}

// list draws one to three items.
func list(items *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(items, 1, 3), func(s []string) string { return strings.Join(s, ",") })
}

// words draws what the given generator does, with names in place of some numbers.
func words(names string, items *rapid.Generator[string]) *rapid.Generator[string] {
	all := strings.Fields(names)
	return rapid.Custom(func(t *rapid.T) string {
		text := items.Draw(t, "item")
		i := rapid.IntRange(0, len(all)-1).Draw(t, "name")
		if rapid.Bool().Draw(t, "named") && (text == fmt.Sprint(i+1) || strings.HasPrefix(text, fmt.Sprint(i+1)+"/")) {
			text = strings.Replace(text, fmt.Sprint(i+1), all[i], 1)
		}
		return text
	})
}

var (
	clockFields = rapid.Custom(func(t *rapid.T) string {
		return list(item(0, 59)).Draw(t, "second") + " " + list(item(0, 59)).Draw(t, "minute") + " " + list(item(0, 23)).Draw(t, "hour")
	})
	numberW   = rapid.Map(rapid.IntRange(1, 31), func(n int) string { return fmt.Sprintf("%dW", n) })
	monthDays = rapid.OneOf(rapid.SampledFrom([]string{"*", "?", "?", "?", "L", "l", "LW", "lw"}), numberW,
		list(rapid.OneOf(item(1, 31), item(1, 31), numberW)))
	weekday = rapid.SampledFrom(strings.Fields("1 2 3 4 5 6 7 mon TUE Wed THU FRI SAT SUN"))
	nthDay  = rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%s#%d", weekday.Draw(t, "day"), rapid.IntRange(1, 5).Draw(t, "week"))
	})
	weekDays = rapid.OneOf(rapid.SampledFrom([]string{"*", "?", "?", "?", "L", "l"}),
		rapid.Map(weekday, func(d string) string { return d + "L" }), nthDay, list(weekday),
		list(rapid.OneOf(words("MON TUE wed THU FRI SAT SUN", item(1, 7)), item(1, 7), nthDay)))
	months     = list(words("JAN feb MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", item(1, 12)))
	dateFields = rapid.Custom(func(t *rapid.T) string {
		text := monthDays.Draw(t, "day") + " " + months.Draw(t, "month") + " " + weekDays.Draw(t, "weekday")
		if rapid.Bool().Draw(t, "with a year") {
			text += " " + rapid.OneOf(rapid.Just("?"), item(1970, 2099), list(item(1970, 2099)).Filter(namesYear)).Draw(t, "year")
		}
		return text
	})
)

// namesYear filters out lists that are no years without a zone behind them (rule EX-5).
func namesYear(list string) bool { return aYear.MatchString(list) }

var aYear = regexp.MustCompile(`19[789]\d|20\d\d`)

// walk lists what Next says are the times from from up to to.
func walk(t *rapid.T, text string, zone *time.Location, from, to time.Time) []time.Time {
	e, err := schedule.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	var all []time.Time
	for after := from.Add(-1); ; {
		next, ok := e.Next(after, time.Time{}, zone)
		if !ok || !next.Before(to) {
			return all
		}
		if !next.After(after) {
			t.Fatalf("%q: Next(%v) = %v", text, after, next)
		}
		all = append(all, next)
		after = next
	}
}

func compare(t *rapid.T, got, want []time.Time) {
	for i := range min(len(got), len(want)) {
		if !got[i].Equal(want[i]) {
			t.Fatalf("time %d is %v, want %v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d times, want %d; the last are %v, want %v", len(got), len(want), got[max(0, len(got)-1):], want[max(0, len(want)-1):])
	}
}

// EX-6, EX-7, for every second of a day.
func TestEverySecondOfADay(t *testing.T) {
	day := at(t, "2026-05-01T00:00:00Z")
	rapid.Check(t, func(t *rapid.T) {
		text := clockFields.Draw(t, "clock") + " * * ?"
		compare(t, walk(t, text, nil, day, day.AddDate(0, 0, 1)), judge(text).times(time.UTC, day, day.AddDate(0, 0, 1)))
	})
}

// EX-6 to EX-8, for every day of some years.
func TestEveryDayOfSomeYears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "30 20 10 " + dateFields.Draw(t, "dates")
		o := judge(text)
		from := time.Date(rapid.IntRange(1969, 2099).Draw(t, "from"), 1, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(3, 0, 0)
		var want []time.Time
		for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
			if o.date(d) {
				want = append(want, d.Add(10*time.Hour+20*time.Minute+30*time.Second))
			}
		}
		compare(t, walk(t, text, time.UTC, from, to), want)
	})
}

// moves are days on which clocks are moved, or on which the search was wrong once.
var moves = map[string][]string{
	"Europe/Berlin":       {"2026-03-29", "2026-10-25", "2060-12-31"}, // 2060: golang/go#81583
	"America/New_York":    {"2026-03-08", "2026-11-01", "2028-12-31", "2029-01-01"},
	"Australia/Lord_Howe": {"2026-04-05", "2026-10-04", "2040-12-31"},
	"Africa/Casablanca":   {"2026-02-15", "2026-03-22", "2087-05-11"},
	"America/Havana":      {"2026-03-08", "2026-11-01"},
	"Antarctica/Troll":    {"2026-03-29", "2026-10-25"},
	"Asia/Pyongyang":      {"2015-08-15", "2018-05-05"},
	"Pacific/Apia":        {"2011-12-29", "2011-12-30", "2011-12-31", "2012-01-01"},
	"Pacific/Kwajalein":   {"1993-08-21"},
	"America/Caracas":     {"2007-12-09", "2016-05-01"},
}

// EX-11, for every second around the time when clocks are moved.
func TestEverySecondWhileClocksAreMoved(t *testing.T) {
	for _, names := range [][]string{
		{"Europe/Berlin", "America/New_York"},
		{"Australia/Lord_Howe", "Africa/Casablanca"},
		slices.Sorted(maps.Keys(moves)),
	} {
		rapid.Check(t, func(t *rapid.T) {
			text := clockFields.Draw(t, "clock") + " " + rapid.OneOf(rapid.Just("* * ?"), dateFields).Draw(t, "dates")
			name := rapid.SampledFrom(names).Draw(t, "zone")
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			noon, err := time.ParseInLocation(time.DateOnly+" 15", rapid.SampledFrom(moves[name]).Draw(t, "day")+" 12", zone)
			if err != nil {
				t.Fatal(err)
			}
			from, to := noon.Add(-13*time.Hour).Truncate(time.Hour), noon.Add(13*time.Hour).Truncate(time.Hour)
			compare(t, walk(t, text, zone, from, to), judge(text).times(zone, from, to))
		})
	}
}

// EX-11 holds for any zone, also for one whose clocks are moved several times a day, over the same hours
// again, and not only by whole hours.
func TestEverySecondInZonesThatAreNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		zone := madeUp(t, begin)
		text := clockFields.Draw(t, "clock") + " " + rapid.SampledFrom([]string{"* * ?", "1 5 ?", "? * FRI", "? * SAT"}).Draw(t, "dates")
		from, to := begin.Add(-6*time.Hour), begin.Add(30*time.Hour)
		compare(t, walk(t, text, zone, from, to), judge(text).times(zone, from, to))
	})
}

// madeUp draws a zone that changes its offset one to six times in the day after begin, and writes it in
// the format of the time zone database.
func madeUp(t *rapid.T, begin time.Time) *time.Location {
	minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 24*60), 1, 6, rapid.ID[int]).Draw(t, "minutes")
	slices.Sort(minutes)
	offsets := rapid.SliceOfN(rapid.IntRange(-18, 18), len(minutes)+1, len(minutes)+1).Draw(t, "tens of minutes")
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) } // to a buffer
	b.WriteString("TZif")
	b.Write(make([]byte, 16))
	put([]uint32{0, 0, 0, uint32(len(minutes)), uint32(len(offsets)), 2})
	for _, m := range minutes {
		put(int32(begin.Unix()) + int32(m)*60)
	}
	for i := range minutes {
		put(uint8(i + 1))
	}
	for _, o := range offsets {
		put(int32(o) * 600)
		put([]uint8{0, 0})
	}
	b.WriteString("X\x00")
	zone, err := time.LoadLocationFromTZData("Made/Up", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// EX-3, EX-11: an at runs when a cron expression with the same date and time would.
func TestAtIsACronOfOneDate(t *testing.T) {
	names := slices.Sorted(maps.Keys(moves))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		day := rapid.SampledFrom(moves[name]).Draw(t, "day")
		clock := time.Unix(rapid.Int64Range(0, 86399).Draw(t, "time"), 0).UTC()
		at := walk(t, fmt.Sprintf("at(%s %s %s)", day, clock.Format(time.TimeOnly), name), nil, time.Time{}, time.Unix(1<<33, 0))
		cron := fmt.Sprintf("%d %d %d %s %s ? %s %s", clock.Second(), clock.Minute(), clock.Hour(), day[8:], day[5:7], day[:4], name)
		compare(t, at, walk(t, cron, nil, time.Time{}, time.Unix(1<<33, 0)))
	})
}

// EX-2: the times of a rate are its multiples.
func TestRateTimesAreMultiples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.IntRange(60, 7*86400).Draw(t, "seconds")) * time.Second
		created := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "created"))
		after := created.Add(time.Duration(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "after")))
		e, err := schedule.Parse(fmt.Sprintf("rate(%ds)", int(every.Seconds())))
		if err != nil {
			t.Fatal(err)
		}
		next, ok := e.Next(after, created, nil)
		since := next.Sub(created)
		if !ok || !next.After(after) || since < every || since%every != 0 || since > every && !after.After(next.Add(-every-1)) {
			t.Fatalf("next is %v, %v", next, ok)
		}
	})
}

// EX-10: CheckTimeout knows the smallest distance of two times in a day.
func TestCheckTimeoutKnowsTheSmallestGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := clockFields.Draw(t, "clock") + " * * ?"
		begin := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		all := judge(text).times(time.UTC, begin, begin.Add(72*time.Hour))
		if len(all) == 0 {
			return
		}
		smallest := 24 * time.Hour
		for i := 1; i < len(all) && all[i].Sub(all[0]) <= 24*time.Hour; i++ {
			smallest = min(smallest, all[i].Sub(all[i-1]))
		}
		e, err := schedule.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.CheckTimeout(smallest, begin.Add(-1)); (err == nil) != (smallest >= 10*time.Second) {
			t.Fatalf("a timeout of the smallest gap, %v: %v", smallest, err)
		}
		if err := e.CheckTimeout(smallest+1, begin.Add(-1)); err == nil {
			t.Fatalf("a timeout above the smallest gap, %v, passed", smallest)
		}
	})
}
