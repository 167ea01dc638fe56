package store

import (
	"context"
	"sync"
)

// A turnstile lets one writer in at a time, interactive ones first.
type turnstile struct {
	mu      sync.Mutex
	busy    bool
	waiting [2][]chan struct{} // by Class
}

// enter waits for the turn; the caller leaves when done.
func (t *turnstile) enter(ctx context.Context, c Class) error {
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.waiting[c] = append(t.waiting[c], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		t.giveUp(c, turn)
		return ctx.Err()
	}
}

// giveUp withdraws a waiter; when its turn came meanwhile it is passed on.
func (t *turnstile) giveUp(c Class, turn chan struct{}) {
	t.mu.Lock()
	for i, w := range t.waiting[c] {
		if w == turn {
			t.waiting[c] = append(t.waiting[c][:i], t.waiting[c][i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	t.leave()
}

// leave hands the turn to the next.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.waiting {
		if q := t.waiting[c]; len(q) > 0 {
			t.waiting[c] = q[1:]
			close(q[0])
			return
		}
	}
	t.busy = false
}
