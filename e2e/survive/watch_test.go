package survive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// watch describes all that was run, again and again until t ends, and finds terminal states that
// change. The server may be away meanwhile.
func (w *world) watch() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, j := range w.jobs() {
				w.observe(ctx, j)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	w.t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
}

// observe looks at an invocation as its caller does.
func (w *world) observe(ctx context.Context, j *job) {
	answer, err := w.server.API.DescribeInvocations(ctx, client.DescribeInvocationsRequest{InvokeId: j.invoke, IncludeOutput: true})
	if err != nil {
		return
	}
	if len(answer.Invocations.Invocation) != 1 {
		w.t.Errorf("%s was accepted and is not shown", j.invoke)
		return
	}
	for _, now := range answer.Invocations.Invocation[0].InvokeInstances.InvokeInstance {
		w.compare(pair{j.invoke, now.InstanceId}, now)
	}
}

// compare finds what changed after it had ended.
func (w *world) compare(p pair, now client.InvokeInstance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.seen[p]
	if d := cmp.Diff(before, now, cmpopts.EquateEmpty()); known && d != "" && !w.t.Failed() {
		w.t.Errorf("%s on %s had ended and changed (-before +now):\n%s", p.invoke, p.instance, d)
	}
	if !orderly.State(now.InvocationStatus).Live() {
		w.seen[p] = now
	}
}

// settle waits until all that was run has ended, and all results that agents have are there; then
// it judges.
func (w *world) settle(t testing.TB) {
	t.Helper()
	longest := 10*time.Second + 2*w.limits.Grace + w.limits.LateResults + 2*slack
	stage.Await(t, max(longest, stage.Patience), "all that was run has ended", func() error {
		for _, j := range w.jobs() {
			if err := w.unfinished(t.Context(), j); err != nil {
				return err
			}
		}
		return nil
	})
	stage.Await(t, stage.Patience, "all lines are read", w.ledger.behind)
	for _, j := range w.jobs() {
		w.observe(t.Context(), j)
	}
	w.judge(t)
}

// unfinished says what of an invocation is not there yet.
func (w *world) unfinished(ctx context.Context, j *job) error {
	r, ok, err := w.read(ctx, j.invoke)
	if err != nil {
		return err
	}
	if !ok {
		return nil // judge says it
	}
	var missing []string
	for i := range r.tasks {
		k := &r.tasks[i]
		p := pair{j.invoke, k.Instance}
		switch {
		case k.State.Live():
			missing = append(missing, fmt.Sprintf("%s is %s", k.Instance, k.State))
		case w.ledger.count(p, "end") > 0 && !w.told(j, r, k):
			missing = append(missing, fmt.Sprintf("the result of %s is missing", k.Instance))
		}
	}
	if missing == nil {
		return nil
	}
	return errors.New(j.invoke + ": " + strings.Join(missing, ", "))
}
