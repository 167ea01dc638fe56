package schedule

import (
	"math/bits"
	"strings"
)

// The years that an expression can name.
const (
	firstYear = 1970
	lastYear  = 2099
)

const digits = "0123456789"

// A set holds whole numbers from 0 on, as many as there are years.
type set [3]uint64

func (s *set) add(n int) { s[n/64] |= 1 << (n % 64) }

func (s *set) has(n int) bool { return n >= 0 && n < 64*len(s) && s[n/64]>>(n%64)&1 == 1 }

func (s *set) empty() bool { return *s == set{} }

func (s *set) first() int { return s.from(0) }

// from is the smallest member that is not below n, or -1.
func (s *set) from(n int) int {
	n = max(n, 0)
	for i := n / 64; i < len(s); i++ {
		if word := s[i] >> (n % 64) << (n % 64); word != 0 {
			return i*64 + bits.TrailingZeros64(word)
		}
		n = 0
	}
	return -1
}

// A field is one of those that a cron expression consists of (rule EX-6).
type field struct {
	name      string
	low, high int
	base      int      // is 0 in the set of the field
	words     []string // for low, low+1, ...
}

var (
	secondField  = field{name: "second", high: 59}
	minuteField  = field{name: "minute", high: 59}
	hourField    = field{name: "hour", high: 23}
	dayField     = field{name: "day of the month", low: 1, high: 31}
	monthField   = field{name: "month", low: 1, high: 12, words: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")}
	weekdayField = field{name: "day of the week", low: 1, high: 7, words: strings.Fields("MON TUE WED THU FRI SAT SUN")}
	yearField    = field{name: "year", low: firstYear, high: lastYear, base: firstYear}
)

// parse reads a list of numbers, ranges and steps.
func (f *field) parse(text string) (set, error) {
	var s set
	for item := range strings.SplitSeq(text, ",") {
		if err := f.parseItem(&s, item); err != nil {
			return set{}, err
		}
	}
	return s, nil
}

// parseItem reads one of *, a, a-b, */n, a/n and a-b/n into s (rules EX-6, EX-7).
func (f *field) parseItem(s *set, item string) error {
	span, every, stepped := strings.Cut(item, "/")
	low, high, err := f.parseSpan(span, stepped)
	if err != nil {
		return err
	}
	step := 1
	if stepped {
		n, ok := parseNumber(every)
		if !ok || n < 1 || n > f.high {
			return f.errorf(item, "the step is not a number from 1 to %d", f.high)
		}
		step = n
	}
	for n := low; n <= high; n += step {
		s.add(n - f.base)
	}
	return nil
}

// parseSpan reads *, a and a-b. With a step, a reaches to the end.
func (f *field) parseSpan(text string, stepped bool) (low, high int, err error) {
	if text == "*" {
		return f.low, f.high, nil
	}
	from, to, ranged := strings.Cut(text, "-")
	if low, err = f.parseValue(from); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		if high, err = f.parseValue(to); err == nil && low > high {
			err = f.errorf(text, "the range ends before it begins")
		}
		return low, high, err
	case stepped:
		return low, f.high, nil
	}
	return low, low, nil
}

// parseValue reads a number or a name.
func (f *field) parseValue(text string) (int, error) {
	for i, word := range f.words {
		if strings.EqualFold(word, text) {
			return f.low + i, nil
		}
	}
	n, ok := parseNumber(text)
	switch {
	case !ok && text != "" && strings.Trim(text, digits) == "":
		return 0, f.errorf(text, "not a number from %d to %d with at most one leading zero", f.low, f.high)
	case !ok && f.words != nil:
		return 0, f.errorf(text, "neither a number nor one of %s", strings.Join(f.words, ", "))
	case !ok:
		return 0, f.errorf(text, "not a number")
	case n < f.low || n > f.high:
		return 0, f.errorf(text, "not from %d to %d", f.low, f.high)
	}
	return n, nil
}

// errorf says what is wrong with a part of the field.
func (f *field) errorf(part, format string, args ...any) error {
	return BadCron.errorf("%s %s: "+format, append([]any{f.name, quote(part)}, args...)...)
}

// parseNumber reads a number of up to four digits, and perhaps one leading zero (rule EX-6).
func parseNumber(text string) (int, bool) {
	if text == "" || strings.HasPrefix(text, "00") && text != "00" || len(strings.TrimPrefix(text, "0")) > 4 {
		return 0, false
	}
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, true
}
