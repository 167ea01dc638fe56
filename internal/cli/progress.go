package cli

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/client"
)

// When the line of progress is written.
const (
	quiet   = 300 * time.Millisecond // what ends sooner needs none
	between = 100 * time.Millisecond
	slow    = time.Second // between counts that have to be asked for
)

// A tally counts machines by what became of them.
type tally struct{ Succeeded, Failed, Live int }

func (t *tally) add(status string) {
	switch status {
	case "Success":
		t.Succeeded++
	case "Pending", "Scheduled", "Running", "Stopping":
		t.Live++
	default:
		t.Failed++
	}
}

func (t tally) total() int { return t.Succeeded + t.Failed + t.Live }

// A progress is a line on a terminal that tells how far an invocation is.
type progress struct {
	session *Session
	due     time.Time // of the next writing
	shown   bool
}

// update rewrites the line, now and then.
func (p *progress) update(ctx context.Context, inv *client.Invocation) {
	if !p.session.Progress || inv.Ended() || time.Now().Before(p.due) {
		return
	}
	p.due = time.Now().Add(between)
	var t tally
	if list := inv.InvokeInstances.InvokeInstance; len(list) < embedded {
		for i := range list {
			t.add(list[i].InvocationStatus)
		}
	} else {
		p.due = time.Now().Add(slow)
		var err error
		if t, err = p.session.count(ctx, inv.InvokeId); err != nil {
			return // the wait itself finds out what is wrong
		}
	}
	p.shown = true
	_, _ = fmt.Fprintf(p.session.Err, "\r\x1b[Krunning %s: %d done, %d failed, %d running", machines(t.total()), t.Succeeded, t.Failed, t.Live)
}

// clear removes the line.
func (p *progress) clear() {
	if p.shown {
		_, _ = fmt.Fprint(p.session.Err, "\r\x1b[K")
	}
}

// count asks how many machines are in which state, for invocations that do not show all of theirs.
func (s *Session) count(ctx context.Context, id string) (tally, error) {
	states := []string{"", "Success", "Pending", "Scheduled", "Running", "Stopping"}
	n := make([]int, len(states))
	g, ctx := errgroup.WithContext(ctx)
	for i, state := range states {
		g.Go(func() error {
			page, err := s.page(ctx, resultsRequest{InvokeId: id, InvocationStatus: state, PageNumber: 1, PageSize: 1})
			n[i] = page.TotalCount
			return err
		})
	}
	err := g.Wait()
	live := n[2] + n[3] + n[4] + n[5]
	return tally{Succeeded: n[1], Failed: max(0, n[0]-n[1]-live), Live: live}, err
}
