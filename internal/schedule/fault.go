package schedule

import "fmt"

// A Code says what kind of mistake an expression has: one of the published codes that a task ends with
// when it is the machine that refuses it.
type Code string

// The codes.
const (
	BadCron      Code = "BadCronExpression"
	CronExpired  Code = "CronExpressionExpired" // never from Parse: see Expression.Expired
	BadRate      Code = "InvalidRateExpression"
	RateTooLarge Code = "RateFrequencyTooLarge"
	BadAt        Code = "InvalidAtExpression"
	AtExpired    Code = "AtExpressionExpired"         // never from Parse: see Expression.Expired
	BadOffset    Code = "InvalidGMTOffsetForTimezone" // not of the form GMT+8:00
	BadHour      Code = "InvalidGMTOffsetHourForTimezone"
	BadMinute    Code = "InvalidGMTOffsetMinuteForTimezone"
	BadZone      Code = "TimezoneInformationCorrupt" // unknown, or not readable on this machine
)

// An Error says what is wrong with an expression, in a sentence that may be shown to its author.
type Error struct {
	Code    Code
	Message string // names the part that is wrong, and holds at most a short piece of the expression
}

func (e *Error) Error() string { return e.Message }

func (c Code) errorf(format string, args ...any) error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// quote shows a part of an expression in a message, and only the beginning of a long one.
func quote(part string) string {
	const most = 40
	if len(part) > most {
		return fmt.Sprintf("%q...", part[:most])
	}
	return fmt.Sprintf("%q", part)
}
