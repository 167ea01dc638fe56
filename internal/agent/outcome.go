package agent

import (
	"encoding/json"
	"errors"
	"syscall"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/docker"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// An outcome is how a task ended, as the journal keeps it. Its times are those of this machine's
// clock, in Unix ms, which a report turns into ages.
type outcome struct {
	State    orderly.State     `json:"state"`
	Code     orderly.ErrorCode `json:"code,omitempty"`
	ExitCode *int              `json:"exit,omitempty"`
	Started  int64             `json:"started,omitempty"`
	Ended    int64             `json:"ended"`
	Output   []byte            `json:"out,omitempty"`
	Total    int64             `json:"total,omitempty"`
	Last     bool              `json:"last,omitempty"` // of a run: with it the schedule is over
	Over     bool              `json:"over,omitempty"` // of a schedule as such, or of a task that is unknown

	begun, over time.Time // Started and Ended as this process knows them
}

func (o *outcome) encode() []byte { return wire.Encode(o) }

// stripOutcome is the outcome without its output, of which it still says how much there was.
func stripOutcome(data []byte) []byte {
	var o outcome
	if json.Unmarshal(data, &o) != nil {
		return data
	}
	o.Output = nil
	return o.encode()
}

// A run is a process that has ended, and what it wrote.
type run struct {
	proc.Result
	output  []byte
	total   int64
	stopped bool // it was to be stopped by the server
}

// outcome says how a run ended (T8 to T10, T16 to T18, EXI-1).
func (r *run) outcome() outcome {
	o := outcome{Output: r.output, Total: r.total, begun: r.Started, over: r.Ended}
	if r.HasCode {
		o.ExitCode = &r.ExitCode
	}
	switch {
	case r.stopped && r.Err != nil:
		o.State, o.Code = orderly.Error, orderly.TerminationException
	case r.TimedOut:
		o.State, o.Code = orderly.Timeout, orderly.ExecutionTimeout
	case r.Stopped && r.stopped:
		o.State = orderly.Terminated
	case r.Stopped:
		o.State, o.Code = orderly.Error, orderly.ClientRestarted // the agent was told to end
	case !r.HasCode:
		o.State, o.Code = orderly.Error, orderly.ExecutionInterrupted
	case r.ExitCode == 0:
		o.State = orderly.Success
	default:
		o.State, o.Code = orderly.Failed, orderly.ExitCodeNonzero
	}
	if o.State == orderly.Error {
		o.ExitCode = nil
	}
	return o
}

// refusals are the reasons not to start a process that a user can do something about (T2).
var refusals = []struct {
	err  error
	code orderly.ErrorCode
}{
	{proc.ErrNoSuchUser, orderly.AccountNotExists},
	{proc.ErrOtherUser, orderly.UserOrPasswordInvalid},
	{proc.ErrNoSuchDir, orderly.DirectoryNotExists},
	{proc.ErrNoHome, orderly.DefaultDirNotAvailable},
	{syscall.ENOSPC, orderly.ClientDiskFull},
	{docker.ErrNotFound, orderly.ContainerNotFound}, // CT-3
	{docker.ErrDuplicated, orderly.ContainerNameDuplicated},
	{docker.ErrMismatch, orderly.ContainerNameAndIdNotMatch},
	{docker.ErrNotRunning, orderly.ContainerStateAbnormal},
	{docker.ErrUnsupported, orderly.UnsupportedContainerRuntime},
	{docker.ErrUnreachable, orderly.ContainerConnectFailed},
	{errOutOfReach, orderly.ContainerConnectFailed},
}

// unstarted is the outcome of a task whose process could not be started.
func unstarted(err error) outcome {
	if errors.Is(err, errUncertain) {
		return outcome{State: orderly.Error, Code: orderly.ExecutionInterrupted}
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return outcome{State: orderly.Invalid, Code: r.code}
		}
	}
	return outcome{State: orderly.Error, Code: orderly.ExecutionException}
}
