package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// everywhere is the tag that every machine carries (rule TGT-7).
const everywhere = "orderly:all"

// A Run is a command and where it is to run.
type Run struct {
	Command   string
	Instances []string // IDs, unless All
	All       bool
	Timeout   time.Duration // of the command on each machine; 0 for the server's default
	Wait      time.Duration // how long to wait for all machines; 0 for as long as it takes
	JSON      bool
}

func (r *Run) request() client.RunCommandRequest {
	q := client.RunCommandRequest{
		CommandContent: r.Command, InstanceId: r.Instances, TerminationMode: "ProcessTree", // nothing is to outlive what is watched here
		Timeout: int64((r.Timeout + time.Second - 1) / time.Second),
	}
	if r.All {
		q.ResourceTag = []client.Tag{{Key: everywhere}}
	}
	return q
}

// Run runs a command, waits for its end on every machine and shows what came of it. When ctx ends,
// the command goes on. Anything but success everywhere is an [*Exit].
func (s *Session) Run(ctx context.Context, r Run) error {
	started := time.Now()
	resp, err := s.api.RunCommand(ctx, r.request())
	if ctx.Err() != nil {
		return &Exit{Interrupted, errors.New("interrupted before the server answered: the command may have started")}
	}
	if err != nil {
		return refused(ctx, err)
	}
	inv, err := s.wait(ctx, resp.InvokeId, r.Wait)
	if err != nil {
		return err
	}
	return s.report(ctx, inv, started, r.JSON)
}

// Results shows what came of an invocation so far, after waiting for its end for some time when wait
// is not 0.
func (s *Session) Results(ctx context.Context, id string, wait time.Duration, asJSON bool) error {
	if wait > 0 {
		_, err := s.wait(ctx, id, wait)
		if exit := (*Exit)(nil); errors.As(err, &exit) && exit.Code != GaveUp {
			return err
		}
	}
	resp, err := s.api.DescribeInvocations(ctx, client.DescribeInvocationsRequest{InvokeId: id})
	if err != nil {
		return refused(ctx, err)
	}
	if len(resp.Invocations.Invocation) == 0 {
		return &Exit{Refused, fmt.Errorf("there is no invocation %s", id)}
	}
	return s.report(ctx, &resp.Invocations.Invocation[0], time.Time{}, asJSON)
}

// Stop asks for the stop of an invocation, on all its machines when none is named.
func (s *Session) Stop(ctx context.Context, id string, instances []string) error {
	err := s.api.StopInvocation(ctx, client.StopInvocationRequest{InvokeId: id, InstanceId: instances})
	if err != nil {
		return refused(ctx, err)
	}
	_, err = fmt.Fprintf(s.Out, "Asked to stop. See what became of it: orderly results %s\n", id)
	return err
}

// report fetches the results of an invocation and shows them; the time since started too, unless
// that is zero.
func (s *Session) report(ctx context.Context, inv *client.Invocation, started time.Time, asJSON bool) error {
	r, err := s.gather(ctx, inv)
	if err != nil {
		if ctx.Err() != nil {
			return detached(Interrupted, errors.New("interrupted"), inv.InvokeId)
		}
		return refused(ctx, err)
	}
	if !started.IsZero() {
		r.Took = time.Since(started)
	}
	return s.Show(r, asJSON)
}

var errGaveUp = errors.New("gave up waiting")

// wait waits for the end of an invocation, and shows how far it is.
func (s *Session) wait(ctx context.Context, id string, limit time.Duration) (*client.Invocation, error) {
	waiting := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, limit, errGaveUp)
		defer cancel()
	}
	p := progress{session: s, due: time.Now().Add(quiet)}
	inv, err := s.api.WaitInvocation(waiting, id, func(inv *client.Invocation) { p.update(waiting, inv) })
	p.clear()
	var e *client.Error
	switch {
	case err == nil:
		return inv, nil
	case ctx.Err() != nil:
		return nil, detached(Interrupted, errors.New("interrupted"), id)
	case waiting.Err() != nil:
		return nil, detached(GaveUp, fmt.Errorf("%w after %s", errGaveUp, limit), id)
	case errors.As(err, &e):
		return nil, refused(ctx, err)
	}
	return nil, detached(GaveUp, fmt.Errorf("lost the server: %w", err), id)
}

// detached is the end of the program while a command goes on.
func detached(code int, err error, id string) error {
	return &Exit{code, fmt.Errorf("%w; the command goes on as %s\n  look again: orderly results %[2]s\n  stop it:    orderly stop %[2]s", err, id)}
}
