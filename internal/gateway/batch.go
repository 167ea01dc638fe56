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

// add takes one up, and drops it when far too many wait.
func (b *batcher[T]) add(v T) {
	b.mu.Lock()
	if len(b.waiting) < maxWaiting {
		b.waiting = append(b.waiting, v)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
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
