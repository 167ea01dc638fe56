package survive_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// A script is what is run in a story: it writes into the ledger that it starts, takes its time,
// writes lines of output, writes into the ledger that it ends, and exits.
type script struct {
	lasts time.Duration
	lines int // of output, 16 bytes each
	exit  int
	tree  bool // TerminationMode ProcessTree
	after bool // the output comes after the time, else before
	waits bool // for its agent, however long that is away: of a busy machine nobody knows
}

// quick is over as soon as it has started.
var quick = script{lines: 3}

// slow lasts as long as stories need to break something meanwhile.
var slow = script{lasts: time.Second, lines: 5, exit: 7}

func (s script) text(l *ledger) string {
	output := fmt.Sprintf("i=0; while [ $i -lt %d ]; do printf 'line %%010d\\n' $i; i=$((i+1)); done\n", s.lines)
	pause := fmt.Sprintf("sleep %.3f\n", s.lasts.Seconds())
	if s.lasts == 0 {
		pause = ""
	}
	if s.after {
		output, pause = pause, output
	}
	return l.line("start") + output + pause + l.line("end") + fmt.Sprintf("exit %d\n", s.exit)
}

func (s script) output() []byte {
	var b strings.Builder
	for i := range s.lines {
		fmt.Fprintf(&b, "line %010d\n", i)
	}
	return []byte(b.String())
}

// run runs a script on instances, however often that must be asked for: the server may be away.
func (w *world) run(s script, instances ...string) (*job, error) {
	q := client.RunCommandRequest{
		CommandContent: s.text(w.ledger), InstanceId: instances, Timeout: 10, EnableParameter: true, ClientToken: rand.Text(),
	}
	if s.tree {
		q.TerminationMode = "ProcessTree"
	}
	if s.waits {
		q.DeliveryTimeout = 600
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), stage.Patience)
	defer cancel()
	for {
		answer, err := w.server.API.RunCommand(ctx, q)
		if err == nil {
			j := &job{invoke: answer.InvokeId, exit: s.exit, output: s.output()}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.given = append(w.given, j)
			return j, nil
		}
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status < 500 || ctx.Err() != nil {
			return nil, err
		}
		w.wait(20 * time.Millisecond)
	}
}

// mustRun is run in a story where it must not fail.
func (w *world) mustRun(s script, on ...*machine) *job {
	w.t.Helper()
	var ids []string
	for _, m := range on {
		ids = append(ids, m.ID)
	}
	j, err := w.run(s, ids...)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// stop stops an invocation, as often as that must be asked for.
func (w *world) stop(j *job) {
	ctx, cancel := context.WithTimeout(w.t.Context(), stage.Patience)
	defer cancel()
	w.mu.Lock()
	j.stops = append(j.stops, time.Now())
	w.mu.Unlock()
	for {
		err := w.server.API.StopInvocation(ctx, client.StopInvocationRequest{InvokeId: j.invoke})
		if err == nil {
			return
		}
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status < 500 || ctx.Err() != nil {
			w.t.Errorf("stop %s: %v", j.invoke, err)
			return
		}
		w.wait(20 * time.Millisecond)
	}
}
