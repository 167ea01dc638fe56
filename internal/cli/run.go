package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// A Run is a command and where it is to run.
type Run struct {
	Script     Script
	Kept       string            // ID or name of a kept command, in place of Script
	Parameters map[string]string // nil when the script takes none
	Targets    Targets

	Name        string
	User        string
	Dir         string
	Launcher    string
	Container   string        // name of the container to run it in
	ContainerID string        // or its ID
	Timeout     time.Duration // of the command on each machine; 0 for the server's default
	Seconds     int64         // the same, when Timeout is 0
	Delivery    time.Duration // to wait for machines that are away; 0 to leave them out
	Schedule    string        // an expression, "boot" for every boot, or "next-boot"; "" to run at once
	Termination string        // "" for all that the command started
	Detach      bool          // do not wait

	Wait time.Duration // how long to wait for all machines; 0 for as long as it takes
	View Viewing
}

// A Viewing says how results are shown.
type Viewing struct {
	Lines bool // as one JSON object on a line for each machine
	Diff  bool // how other outputs differ from the commonest one, not as a whole
}

// A runRequest is what RunCommand and InvokeCommand take.
type runRequest struct {
	Type, CommandContent, ContentEncoding, Name string // of RunCommand
	CommandId                                   string // of InvokeCommand
	InstanceId                                  []string
	ResourceTag                                 []client.Tag
	Parameters                                  string
	EnableParameter                             bool
	Timeout                                     int64
	DeliveryTimeout                             int64
	WorkingDir                                  string
	Username                                    string
	Launcher                                    string
	ContainerId, ContainerName                  string
	RepeatMode                                  string
	Frequency                                   string
	TerminationMode                             string
	ClientToken                                 string
}

// request finds all that the call needs, and the action to call.
func (s *Session) request(ctx context.Context, r *Run) (action string, q runRequest, err error) {
	if q.InstanceId, q.ResourceTag, err = s.selected(ctx, r.Targets); err != nil {
		return "", q, err
	}
	action = "RunCommand"
	if r.Kept != "" {
		action = "InvokeCommand"
		one, err := s.command(ctx, r.Kept)
		if err != nil {
			return "", q, err
		}
		q.CommandId = one.Items[0].CommandId
	} else {
		content, kind, err := r.Script.read(s.In)
		if err != nil {
			return "", q, err
		}
		q.Type, q.Name, q.ContentEncoding, q.CommandContent = kind, r.Name, "Base64", base64.StdEncoding.EncodeToString(content)
		q.EnableParameter = r.Parameters != nil
	}
	if r.Parameters != nil {
		text, err := json.Marshal(r.Parameters)
		if err != nil {
			return "", q, err
		}
		q.Parameters = string(text)
	}
	r.settings(&q)
	return action, q, nil
}

// settings are how it is run.
func (r *Run) settings(q *runRequest) {
	q.Timeout = r.Seconds
	if r.Timeout > 0 {
		q.Timeout = seconds(r.Timeout)
	}
	q.DeliveryTimeout, q.WorkingDir, q.Username, q.Launcher, q.ClientToken = seconds(r.Delivery), r.Dir, r.User, r.Launcher, rand.Text()
	q.ContainerId, q.ContainerName = r.ContainerID, r.Container
	if q.TerminationMode = r.Termination; q.TerminationMode == "" {
		q.TerminationMode = "ProcessTree" // nothing is to outlive what is watched here
	}
	switch r.Schedule {
	case "":
	case "boot":
		q.RepeatMode = "EveryReboot"
	case "next-boot":
		q.RepeatMode = "NextRebootOnly"
	default:
		q.RepeatMode, q.Frequency = "Period", r.Schedule
	}
}

// seconds are those of a duration, no fewer.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Run runs a command, waits for its end on every machine and shows what came of it. When ctx ends,
// the command goes on, unless the user has it stopped. Anything but success everywhere is an [*Exit].
func (s *Session) Run(ctx context.Context, r Run) error {
	action, q, err := s.request(ctx, &r)
	if err != nil {
		return err
	}
	if r.Targets.All {
		if err := s.confirmAll(ctx); err != nil {
			return err
		}
	}
	started := time.Now()
	var made struct{ InvokeId string }
	err = s.meanwhile("starting it", func() error { return s.api.Call(ctx, action, q, &made) })
	if ctx.Err() != nil {
		return &Exit{Interrupted, errors.New("interrupted before the server answered: the command may have started\n  see whether it did: orderly invocation list")}
	}
	if err != nil {
		return refused(ctx, err)
	}
	if r.Detach || r.Schedule != "" {
		return s.started(r, made.InvokeId)
	}
	inv, err := s.wait(ctx, made.InvokeId, r.Wait)
	if err != nil && inv == nil {
		return err
	}
	return errors.Join(err, s.report(context.WithoutCancel(ctx), inv, started, r.View))
}

// started tells what was started and is not waited for.
func (s *Session) started(r Run, id string) error {
	if s.Format == JSON || s.Format == YAML {
		return s.encode(struct{ InvokeId string }{id})
	}
	if r.Schedule != "" {
		return s.print(fmt.Sprintf("Scheduled as %s. See its next times: orderly schedule show %[1]s\n", id))
	}
	return s.print(fmt.Sprintf("Started as %s. See what becomes of it: orderly results --wait 1h %[1]s\n", id))
}

// Results shows what came of an invocation so far, after waiting for its end for some time when wait
// is not 0.
func (s *Session) Results(ctx context.Context, id string, wait time.Duration, view Viewing) error {
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
		return noInvocation(id)
	}
	return s.report(ctx, &resp.Invocations.Invocation[0], time.Time{}, view)
}

// Stop asks for the stop of an invocation, on all its machines when none is named.
func (s *Session) Stop(ctx context.Context, id string, refs []string) error {
	list, err := s.named(ctx, refs)
	if err != nil {
		return err
	}
	if err := s.api.StopInvocation(ctx, client.StopInvocationRequest{InvokeId: id, InstanceId: list}); err != nil {
		return refused(ctx, err)
	}
	return s.print(fmt.Sprintf("Asked to stop. See what became of it: orderly results %s\n", id))
}

// report fetches the results of an invocation and shows them; the time since started too, unless
// that is zero.
func (s *Session) report(ctx context.Context, inv *client.Invocation, started time.Time, view Viewing) error {
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
	r.Status = inv.InvocationStatus
	return s.Show(r, view)
}

var errGaveUp = errors.New("gave up waiting")

// wait waits for the end of an invocation, and shows how far it is. When the user has it stopped, it
// returns the invocation together with an error.
func (s *Session) wait(ctx context.Context, id string, limit time.Duration) (*client.Invocation, error) {
	waiting := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, limit, errGaveUp)
		defer cancel()
	}
	start := time.Now()
	inv, err := s.follow(waiting, id, start)
	var e *client.Error
	switch {
	case err == nil:
		return inv, nil
	case ctx.Err() != nil && s.Ask && strings.HasPrefix(context.Cause(ctx).Error(), "interrupt"): // and not by another signal
		return s.stopOrDetach(context.WithoutCancel(ctx), id, start)
	case ctx.Err() != nil:
		return nil, detached(Interrupted, errors.New("interrupted"), id)
	case waiting.Err() != nil:
		return nil, detached(GaveUp, fmt.Errorf("%w after %s", errGaveUp, limit), id)
	case errors.As(err, &e):
		return nil, refused(ctx, err)
	}
	return nil, detached(GaveUp, fmt.Errorf("lost the server: %w", err), id)
}

// stopOrDetach asks what is to become of a command whose watching was interrupted.
func (s *Session) stopOrDetach(ctx context.Context, id string, start time.Time) (*client.Invocation, error) {
	answer := s.answer("\nStop " + id + " on all machines, or detach and let it go on? [s/D] ")
	if !strings.HasPrefix(answer, "s") {
		return nil, detached(Interrupted, errors.New("detached"), id)
	}
	if err := s.api.StopInvocation(ctx, client.StopInvocationRequest{InvokeId: id}); err != nil {
		return nil, refused(ctx, err)
	}
	inv, err := s.follow(ctx, id, start)
	if err != nil {
		return nil, detached(GaveUp, fmt.Errorf("asked to stop, and lost the server: %w", err), id)
	}
	return inv, &Exit{Interrupted, errors.New("stopped")}
}

// detached is the end of the program while a command goes on.
func detached(code int, err error, id string) error {
	return &Exit{code, fmt.Errorf("%w; the command goes on as %s\n  look again: orderly results %[2]s\n  stop it:    orderly stop %[2]s", err, id)}
}
