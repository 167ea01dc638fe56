package schedule

import (
	"slices"
	"strings"
	"time"
)

const (
	friday     = 5
	saturday   = 6
	sunday     = 7
	daysInWeek = 7
	maxWeeks   = 5 // in a month, counting one that has begun
)

// A month is what one needs to know of a month to tell its days.
type month struct {
	length int
	first  int // the day of the week of its first day, from 1 for Monday
}

func monthOf(year, number int) month {
	first := time.Date(year, time.Month(number), 1, 0, 0, 0, 0, time.UTC)
	return month{length: first.AddDate(0, 1, -1).Day(), first: (int(first.Weekday())+6)%7 + 1}
}

// weekday of a day of the month, from 1 for Monday.
func (m month) weekday(day int) int { return (m.first+day-2)%daysInWeek + 1 }

// workday is the day from Monday to Friday in the month that is nearest to a day; 0 when the month does
// not have that day (rule EX-8).
func (m month) workday(day int) int {
	wd := m.weekday(day)
	switch {
	case day > m.length:
		return 0
	case wd == saturday && day == 1, wd == sunday && day < m.length:
		return day + (sunday + 1 - wd)
	case wd == saturday, wd == sunday:
		return day - (wd - friday)
	}
	return day
}

// days says which days of a month match: those of both parts, or of either one when both are
// restricted (rule EX-7).
type days struct {
	month monthDays
	week  weekDays
}

// from is the first day that matches, from a day of a month on; 0 when there is none.
func (d *days) from(day int, m month) int {
	for ; day <= m.length; day++ {
		if d.match(day, m) {
			return day
		}
	}
	return 0
}

func (d *days) match(day int, m month) bool {
	switch {
	case d.week.any:
		return d.month.any || d.month.match(day, m)
	case d.month.any:
		return d.week.match(day, m)
	}
	return d.month.match(day, m) || d.week.match(day, m)
}

// monthDays is the field of days of the month.
type monthDays struct {
	any         bool
	plain       set
	nearest     set // 5W
	last        bool
	lastWorkday bool // LW
}

func (d *monthDays) match(day int, m month) bool {
	if d.plain.has(day) || d.last && day == m.length || d.lastWorkday && day == m.workday(m.length) {
		return true
	}
	if d.nearest.empty() {
		return false
	}
	for n := day - 2; n <= day+2; n++ { // no day's nearest workday is farther away
		if d.nearest.has(n) && m.workday(n) == day {
			return true
		}
	}
	return false
}

// parseMonthDays reads the field of days of the month (rules EX-6 to EX-8).
func parseMonthDays(text string) (d monthDays, err error) {
	switch {
	case text == "?":
		return monthDays{any: true}, nil
	case strings.EqualFold(text, "L"):
		return monthDays{last: true}, nil
	case strings.EqualFold(text, "LW"):
		return monthDays{lastWorkday: true}, nil
	case strings.ContainsAny(text, "lL"):
		return d, dayField.errorf(text, "L stands alone or in LW, without a list, a range or a number")
	}
	items := strings.Split(text, ",")
	d.any = slices.Contains(items, "*")
	for _, item := range items {
		if err := d.parse(item); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *monthDays) parse(item string) error {
	number, ok := cutSuffixFold(item, "W")
	if !ok {
		return dayField.parseItem(&d.plain, item)
	}
	n, err := dayField.parseValue(number)
	if err != nil {
		return dayField.errorf(item, "W follows a single day from 1 to 31, or L")
	}
	d.nearest.add(n)
	return nil
}

// weekDays is the field of days of the week, from 1 for Monday.
type weekDays struct {
	any   bool
	plain set
	last  int // 6L is the last Saturday of the month
	nth   set // 4#2 is 4 + 7*1
}

func (d *weekDays) match(day int, m month) bool {
	wd := m.weekday(day)
	return d.plain.has(wd) || d.last == wd && day+daysInWeek > m.length || d.nth.has(wd+(day-1)/daysInWeek*daysInWeek)
}

// parseWeekDays reads the field of days of the week (rules EX-6 to EX-8).
func parseWeekDays(text string) (d weekDays, err error) {
	if text == "?" {
		return weekDays{any: true}, nil
	}
	if strings.EqualFold(text, "L") {
		d.plain.add(sunday)
		return d, nil
	}
	if day, ok := cutSuffixFold(text, "L"); ok {
		if d.last, err = weekdayField.parseValue(day); err != nil {
			return d, weekdayField.errorf(text, "L stands alone or follows a single day, without a list or a range")
		}
		return d, nil
	}
	items := strings.Split(text, ",")
	d.any = slices.Contains(items, "*")
	for _, item := range items {
		if err := d.parse(item); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *weekDays) parse(item string) error {
	day, week, ok := strings.Cut(item, "#")
	if !ok {
		return weekdayField.parseItem(&d.plain, item)
	}
	wd, err := weekdayField.parseValue(day)
	n, ok := parseNumber(week)
	if err != nil || !ok || n < 1 || n > maxWeeks {
		return weekdayField.errorf(item, "# stands between a day from 1 to 7 and a number from 1 to %d", maxWeeks)
	}
	d.nth.add(wd + daysInWeek*(n-1))
	return nil
}

func cutSuffixFold(text, suffix string) (string, bool) {
	if n := len(text) - len(suffix); n >= 0 && strings.EqualFold(text[n:], suffix) {
		return text[:n], true
	}
	return text, false
}
