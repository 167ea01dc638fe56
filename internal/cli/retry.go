package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

// A Retry is an invocation to run again where it failed.
type Retry struct {
	InvokeID string
	Unknown  bool // also where nobody knows what became of it
	Stopped  bool // also where it was stopped
	Run           // how to watch it
}

// unknownOutcome is why a machine's outcome is unknown: the command may go on there.
const unknownOutcome = "ExecutionInterrupted"

// chosen are the machines to run on again, and those left out because nobody knows whether the
// command goes on there.
func (r *Retry) chosen(rows []client.InvocationResult) (again, leftOut []string) {
	for i := range rows {
		row := &rows[i]
		switch {
		case row.ErrorCode == unknownOutcome && !r.Unknown:
			leftOut = append(leftOut, row.InstanceId)
		case slices.Contains([]string{"Failed", "Timeout", "Error", "Invalid", "Aborted"}, row.InvocationStatus),
			r.Stopped && slices.Contains([]string{"Cancelled", "Terminated"}, row.InvocationStatus):
			again = append(again, row.InstanceId)
		}
	}
	return again, leftOut
}

// Retry runs an invocation again on the machines where it failed: the same script with the same
// parameters, as it was then. It says which machines these are.
func (s *Session) Retry(ctx context.Context, r Retry) error {
	v, _, err := s.invocation(ctx, r.InvokeID)
	if err != nil {
		return err
	}
	if v.RepeatMode != "Once" {
		return &Exit{Refused, Advise(fmt.Errorf("%s is a schedule, which goes on by itself", v.InvokeId), "see its next times: orderly schedule show "+v.InvokeId)}
	}
	rows, err := s.results(ctx, v.InvokeId, len(v.InvokeInstances.InvokeInstance))
	if err != nil {
		return refused(ctx, err)
	}
	again, leftOut := r.chosen(rows)
	names, err := s.names(ctx, slices.Concat(again, leftOut))
	if err != nil {
		return refused(ctx, err)
	}
	if len(leftOut) > 0 {
		s.note("left out: %s, where nobody knows whether it still runs; --unknown includes them", listed(leftOut, names))
	}
	if len(again) == 0 {
		return &Exit{Refused, Advise(fmt.Errorf("%s failed on no machine that it could be run on again", v.InvokeId), "see what became of it: orderly results "+v.InvokeId)}
	}
	s.note("again on %s: %s", machines(len(again)), listed(again, names))
	run, err := v.again(r.Run, again)
	if err != nil {
		return err
	}
	return s.Run(ctx, run)
}

// listed is names of machines, a few of them when there are many.
func listed(list []string, names map[string]string) string {
	g := group{}
	for _, id := range list {
		g.names = append(g.names, nameOf(id, names))
	}
	slices.SortFunc(g.names, natural)
	return g.listed()
}

// again is a run of the same with the same settings on machines.
func (v *invocation) again(run Run, on []string) (Run, error) {
	run.Script = Script{Line: v.CommandContent}
	for name, kind := range scriptTypes {
		if kind == v.CommandType {
			run.Script.Type = name
		}
	}
	if strings.ContainsRune(v.CommandContent, '\uFFFD') {
		return run, &Exit{Refused, Advise(errors.New("the script is not text"), "run it from its file: orderly run --script FILE")}
	}
	run.Name, run.User, run.Dir, run.Launcher, run.Seconds = v.CommandName, v.Username, v.WorkingDir, v.Launcher, v.Timeout
	run.Termination, run.ContainerID, run.Container = v.TerminationMode, v.ContainerId, v.ContainerName
	run.Targets = Targets{Machines: on}
	if v.Parameters != "" && v.Parameters != "{}" {
		if err := json.Unmarshal([]byte(v.Parameters), &run.Parameters); err != nil {
			return run, fmt.Errorf("read the parameters: %w", err)
		}
	}
	return run, nil
}
