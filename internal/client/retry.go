package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// pauses are the longest waits before each repetition of a call.
var pauses = [...]time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

// jitter takes off up to half, so that many clients do not come back at the same moment.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2) }

// sleep waits for d, or returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
