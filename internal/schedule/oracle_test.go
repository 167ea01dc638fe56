package schedule_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An oracle reads a well-formed cron expression in the slowest way: it asks of each second whether
// each field matches. It shares nothing with the package that it judges.
type oracle struct {
	second, minute, hour [60]bool
	fields               []string // day, month, weekday, year
}

// judge makes an oracle of at least six fields; a zone among them is for the caller to know.
func judge(text string) *oracle {
	f := strings.Fields(strings.ToUpper(text))
	o := &oracle{fields: append(slices.Clone(f[3:min(len(f), 7)]), "*")[:4]}
	for v := range 60 {
		o.second[v] = numbers(f[0], v, 0, 59)
		o.minute[v] = numbers(f[1], v, 0, 59)
		o.hour[v] = v < 24 && numbers(f[2], v, 0, 23)
	}
	return o
}

var (
	monthNames = "...JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
	dayNames   = "...MONTUEWEDTHUFRISATSUN"
	span       = regexp.MustCompile(`^(\*|\w+)(?:-(\w+))?(?:/(\d+))?$`)
	nearest    = regexp.MustCompile(`^(\d+)W$`)
	nth        = regexp.MustCompile(`^(\w+)#0?(\d)$`)
	lastOf     = regexp.MustCompile(`^(\w+)L$`)
)

// number reads 5, 05, MAY or FRI.
func number(word string) int {
	if n, err := strconv.Atoi(word); err == nil {
		return n
	}
	return max(strings.Index(monthNames, word), strings.Index(dayNames, word)) / 3
}

// numbers tells whether one of the items of a list is v, or a range or steps that hold v.
func numbers(list string, v, lowest, highest int) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(item string) bool {
		m := span.FindStringSubmatch(item)
		if m == nil {
			return false
		}
		low, high, step := lowest, highest, 1
		if m[1] != "*" {
			low = number(m[1])
			if m[2] != "" {
				high = number(m[2])
			} else if m[3] == "" {
				high = low
			}
		}
		if m[3] != "" {
			step = number(m[3])
		}
		return v >= low && v <= high && (v-low)%step == 0
	})
}

// date tells whether the date of t matches.
func (o *oracle) date(t time.Time) bool {
	day, week := o.fields[0], o.fields[2]
	if !numbers(o.fields[1], int(t.Month()), 1, 12) || !numbers(strings.Replace(o.fields[3], "?", "*", 1), t.Year(), 1970, 2099) {
		return false
	}
	free := func(field string) bool { return field == "?" || slices.Contains(strings.Split(field, ","), "*") }
	switch {
	case free(day) && free(week):
		return true
	case free(day):
		return ofWeek(week, t)
	case free(week):
		return ofMonth(day, t)
	}
	return ofWeek(week, t) || ofMonth(day, t)
}

func ofMonth(list string, t time.Time) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(item string) bool {
		last := t.AddDate(0, 0, -t.Day()+1).AddDate(0, 1, -1)
		switch {
		case item == "L":
			return t.Day() == last.Day()
		case item == "LW":
			return t.Day() == nearestWorkday(last)
		case nearest.MatchString(item):
			n := number(nearest.FindStringSubmatch(item)[1])
			return n <= last.Day() && t.Day() == nearestWorkday(last.AddDate(0, 0, n-last.Day()))
		}
		return numbers(item, t.Day(), 1, 31)
	})
}

// nearestWorkday tries the days around t, the nearer first.
func nearestWorkday(t time.Time) int {
	for _, days := range []int{0, 1, -1, 2, -2} {
		d := t.AddDate(0, 0, days)
		if d.Month() == t.Month() && d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			return d.Day()
		}
	}
	panic("a month without workdays")
}

func ofWeek(list string, t time.Time) bool {
	weekday := int(t.Weekday())
	if weekday == 0 {
		weekday = 7
	}
	return slices.ContainsFunc(strings.Split(list, ","), func(item string) bool {
		if item == "L" {
			return weekday == 7
		}
		if m := nth.FindStringSubmatch(item); m != nil {
			back := 7 * (number(m[2]) - 1)
			return weekday == number(m[1]) && t.AddDate(0, 0, -back).Month() == t.Month() && t.AddDate(0, 0, -back-7).Month() != t.Month()
		}
		if m := lastOf.FindStringSubmatch(item); m != nil {
			return weekday == number(m[1]) && t.AddDate(0, 0, 7).Month() != t.Month()
		}
		return numbers(item, weekday, 1, 7)
	})
}

// times goes through every second from from up to to, and takes those whose clock matches and was not
// shown before. Both are whole minutes, and so are the changes of the zone since 36 hours before from.
func (o *oracle) times(zone *time.Location, from, to time.Time) []time.Time {
	const around = 36 * 3600
	first := from.Unix() - around
	shown := make([]bool, to.Unix()-first+2*around)
	dates := map[int64]bool{}
	var all []time.Time
	for minute := first; minute < to.Unix(); minute += 60 {
		_, offset := time.Unix(minute, 0).In(zone).Zone()
		for t := minute; t < minute+60; t++ {
			clock := t + int64(offset)
			if shown[clock-first+around] {
				continue
			}
			shown[clock-first+around] = true
			if t < from.Unix() || !o.second[clock%60] || !o.minute[clock/60%60] || !o.hour[clock/3600%24] {
				continue
			}
			matches, known := dates[clock/86400]
			if !known {
				matches = o.date(time.Unix(clock, 0).UTC())
				dates[clock/86400] = matches
			}
			if matches {
				all = append(all, time.Unix(t, 0).UTC())
			}
		}
	}
	return all
}
