package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// Logs says whose output to print.
type Logs struct {
	InvokeID string
	Machines []string // IDs or names; none for all
	Follow   bool     // until it has ended
	Plain    bool     // without the names of machines in front of lines
}

// followPause is between two looks at output that grows.
const followPause = 500 * time.Millisecond

// A reel is the output of one machine, as far as it was printed.
type reel struct {
	prefix  string
	printed int64  // bytes of the whole output
	rest    string // the beginning of a line that has not ended
	ended   bool
}

// Logs prints what an invocation printed on its machines, with the machine's name in front of each line
// when there is more than one. It follows what runs, when it is told to, until all have ended.
func (s *Session) Logs(ctx context.Context, l Logs) error {
	v, _, err := s.invocation(ctx, l.InvokeID)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, ref := range l.Machines {
		one, err := s.instance(ctx, ref)
		if err != nil {
			return err
		}
		wanted[one.Items[0].InstanceId] = true
	}
	reels := map[string]*reel{}
	for {
		asked := time.Now()
		rows, err := s.results(ctx, v.InvokeId, len(v.InvokeInstances.InvokeInstance))
		if err == nil && len(reels) == 0 {
			reels, err = s.reels(ctx, rows, wanted, l.Plain)
		}
		if err != nil {
			return refused(ctx, err)
		}
		live, err := s.printNew(rows, reels, l.Follow)
		if err != nil || !l.Follow || !live {
			return err
		}
		if wait(ctx, max(followPause, 3*time.Since(asked))) != nil {
			return &Exit{Code: Interrupted}
		}
	}
}

// wait waits for d, or returns the context's error when that ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// reels are of the machines that are wanted; all when none is.
func (s *Session) reels(ctx context.Context, rows []client.InvocationResult, wanted map[string]bool, plain bool) (map[string]*reel, error) {
	names, err := s.names(ctx, ids(rows, func(r *client.InvocationResult) string { return r.InstanceId }))
	if err != nil {
		return nil, err
	}
	reels := map[string]*reel{}
	width := 0
	for i := range rows {
		if id := rows[i].InstanceId; len(wanted) == 0 || wanted[id] {
			reels[id] = &reel{prefix: cellText(nameOf(id, names))}
			width = max(width, len(reels[id].prefix))
		}
	}
	for _, r := range reels {
		if plain || len(reels) == 1 {
			r.prefix = ""
		} else {
			r.prefix = s.paint(yellow, fmt.Sprintf("%-*s |", width, r.prefix)) + " "
		}
	}
	return reels, nil
}

// printNew prints what is new of all machines, and reports whether any goes on. Lines that have not
// ended are kept back while more of them may come.
func (s *Session) printNew(rows []client.InvocationResult, reels map[string]*reel, follow bool) (live bool, err error) {
	var text strings.Builder
	for i := range rows {
		r := reels[rows[i].InstanceId]
		if r == nil || r.ended {
			continue
		}
		var t tally
		t.add(rows[i].InvocationStatus)
		r.ended = t.Live == 0
		live = live || !r.ended
		r.take(&text, &rows[i], r.ended || !follow, s.visible)
	}
	return live, s.print(text.String())
}

// take writes the lines that are new in a result.
func (r *reel) take(text *strings.Builder, row *client.InvocationResult, last bool, visible func(string) string) {
	output, from := string(row.Output), row.Dropped
	if whole := from + int64(len(output)); whole < r.printed { // another run of a schedule, or the end replaced the preview
		r.printed = whole
	}
	if from > r.printed {
		if r.rest != "" {
			r.line(text, visible(r.rest))
		}
		r.line(text, fmt.Sprintf("(%d bytes were not kept)", from-r.printed))
		r.printed, r.rest = from, ""
	}
	r.rest += output[r.printed-from:]
	r.printed = from + int64(len(output))
	for {
		line, after, whole := strings.Cut(r.rest, "\n")
		if !whole {
			break
		}
		r.line(text, visible(strings.TrimSuffix(line, "\r")))
		r.rest = after
	}
	if last && r.rest != "" {
		r.line(text, visible(r.rest))
		r.rest = ""
	}
}

func (r *reel) line(text *strings.Builder, line string) { text.WriteString(r.prefix + line + "\n") }
