package gateway

import (
	"context"
	"sync"
)

// A batcher hands what comes in to flush: at once when flush is idle, and all that gathered
// meanwhile, up to a limit, when it comes back. So nothing waits for a timer, and the busier it is
// the larger the batches.
type batcher[T any] struct {
	limit int
	flush func(context.Context, []T)

	mu      sync.Mutex
	waiting []T
	wake    chan struct{}
}

func newBatcher[T any](limit int, flush func(context.Context, []T)) *batcher[T] {
	return &batcher[T]{limit: limit, flush: flush, wake: make(chan struct{}, 1)}
}

// maxWaiting bounds what a batcher keeps; senders send again what was dropped.
const maxWaiting = 200_000

// add takes one up; it reports false when far too many wait, and it is dropped.
func (b *batcher[T]) add(v T) bool {
	b.mu.Lock()
	ok := len(b.waiting) < maxWaiting
	if ok {
		b.waiting = append(b.waiting, v)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return ok
}

// Run flushes until ctx ends.
func (b *batcher[T]) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wake:
		}
		for ctx.Err() == nil {
			batch := b.take()
			if len(batch) == 0 {
				break
			}
			b.flush(ctx, batch)
		}
	}
}

func (b *batcher[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.waiting), b.limit)
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	if len(b.waiting) == 0 {
		b.waiting = nil
	}
	return batch
}

// maxShare is how many messages of one kind from one instance may wait. An agent has one under way
// and repeats it when no answer comes: more are dropped, so that one that floods fills no memory.
const maxShare = 4

// shares counts what waits, by instance. The zero value is ready.
type shares struct {
	mu sync.Mutex
	of map[string]int
}

// take reports whether one more of an instance may wait, and counts it.
func (s *shares) take(instance string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[instance] >= maxShare {
		return false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[instance]++
	return true
}

// give takes back what take counted.
func (s *shares) give(instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[instance]--; s.of[instance] <= 0 {
		delete(s.of, instance)
	}
}
