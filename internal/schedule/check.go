package schedule

import "time"

// What a task may have (rules EX-1, EX-10).
const (
	minEvery     = 60 * time.Second
	longestEvery = 7 * oneDay
	minGap       = 10 * time.Second
	gapWindow    = oneDay
	gapRuns      = 1000
)

// CheckTimeout tells whether a command with a timeout may run at the times of e: each run must be over
// before the next begins. Every error is an [*Error].
//
// A rate is from 60 seconds to 7 days and longer than the timeout (rule EX-1). Two times of a cron
// expression lie at least 10 seconds and at least the timeout apart; that is looked at from its first
// time after from on, for 24 hours or 1000 times (rule EX-10). One without a zone is read in UTC, as the
// machines it will run on may be in any. An at runs once.
func (e Expression) CheckTimeout(timeout time.Duration, from time.Time) error {
	switch e.kind {
	case Rate:
		return checkRate(e.every, timeout)
	case Cron:
		return e.cron.checkGaps(timeout, from)
	}
	return nil
}

func checkRate(every, timeout time.Duration) error {
	switch {
	case every < minEvery:
		return BadRate.errorf("rate: an interval of %v is shorter than %v", every, minEvery)
	case every > longestEvery:
		return RateTooLarge.errorf("rate: an interval of %v is longer than 7 days", every)
	case every <= timeout:
		return BadRate.errorf("rate: an interval of %v is not longer than the timeout of %v", every, timeout)
	}
	return nil
}

func (c *calendar) checkGaps(timeout time.Duration, from time.Time) error {
	zone := c.zoneOr(nil)
	run, ok := c.next(from, zone)
	end := run.Add(gapWindow)
	for n := 1; ok && n < gapRuns; n++ {
		var next time.Time
		if next, ok = c.next(run, zone); !ok || next.After(end) {
			break
		}
		if err := checkGap(run, next, timeout); err != nil {
			return err
		}
		run = next
	}
	return nil
}

func checkGap(run, next time.Time, timeout time.Duration) error {
	gap := next.Sub(run)
	switch {
	case gap < minGap:
		return BadCron.errorf("runs at %s and %v later: at least %v must lie between", run.Format(time.RFC3339), gap, minGap)
	case gap < timeout:
		return BadCron.errorf("runs at %s and %v later, which is less than the timeout of %v", run.Format(time.RFC3339), gap, timeout)
	}
	return nil
}
