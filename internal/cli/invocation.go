package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

// An invocation is one as lists and pages show it.
type invocation struct {
	InvokeId, CommandId, CommandName, CommandType, CommandContent string
	Parameters, WorkingDir, Username, Launcher                    string
	RepeatMode, Frequency, TerminationMode                        string
	ContainerId, ContainerName                                    string
	CreationTime, InvocationStatus                                string
	Timeout                                                       int64
	InvokeInstances                                               struct{ InvokeInstance []client.InvokeInstance }
}

// title is what people know a command by: its name, or how its script begins behind the line that names
// its interpreter.
func (v *invocation) title() string {
	if v.CommandName != "" {
		return v.CommandName
	}
	text := strings.TrimSpace(v.CommandContent)
	if first, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "#!") && strings.TrimSpace(rest) != "" {
		text = strings.TrimSpace(rest)
	}
	line, more, _ := strings.Cut(text, "\n")
	if r := []rune(line); len(r) > titleLength {
		return string(r[:titleLength-1]) + "…"
	}
	if more != "" {
		line += " …"
	}
	return line
}

const titleLength = 40

// counted is how many machines there are, as far as they are told.
func (v *invocation) counted() string {
	n := len(v.InvokeInstances.InvokeInstance)
	if n >= embedded {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}

// counts is how many machines are in which state.
func (v *invocation) counts() string {
	by := map[string]int{}
	var states []string
	for i := range v.InvokeInstances.InvokeInstance {
		state := v.InvokeInstances.InvokeInstance[i].InvocationStatus
		if by[state] == 0 {
			states = append(states, state)
		}
		by[state]++
	}
	slices.SortStableFunc(states, func(a, b string) int { return by[b] - by[a] })
	for i, state := range states {
		states[i] = fmt.Sprintf("%d %s", by[state], state)
	}
	return strings.Join(states, ", ")
}

var invocationColumns = []Column[invocation]{
	{Title: "INVOKE ID", Cell: func(v *invocation) string { return v.InvokeId }},
	{Title: "STATUS", Cell: func(v *invocation) string { return v.InvocationStatus }, Colour: func(v *invocation) string { return statusColour(v.InvocationStatus) }},
	{Title: "MACHINES", Cell: (*invocation).counted},
	{Title: "CREATED", Cell: func(v *invocation) string { return since(v.CreationTime) }},
	{Title: "COMMAND", Cell: (*invocation).title, Cut: 16},
	{Title: "RESULTS", In: InWide, Cell: (*invocation).counts, Cut: 9},
	{Title: "COMMAND ID", In: InWide, Cell: func(v *invocation) string { return v.CommandId }},
	{Title: "USER", In: InWide, Cell: func(v *invocation) string { return v.Username }},
	{Title: "REPEATS", In: Alone, Cell: func(v *invocation) string { return strings.TrimSpace(v.RepeatMode + " " + v.Frequency) }},
	{Title: "TIMEOUT", In: Alone, Cell: func(v *invocation) string { return fmt.Sprintf("%d s", v.Timeout) }},
	{Title: "DIRECTORY", In: Alone, Cell: func(v *invocation) string { return v.WorkingDir }},
	{Title: "CONTAINER", In: Alone, Cell: func(v *invocation) string { return strings.TrimSpace(v.ContainerName + " " + v.ContainerId) }},
	{Title: "PARAMETERS", In: Alone, Cell: func(v *invocation) string { return strings.TrimPrefix(v.Parameters, "{}") }},
	{Title: "SCRIPT", In: Alone, Cell: func(v *invocation) string { return strings.TrimRight(v.CommandContent, "\n") }},
}

// statusColour is the colour of a state of a machine or of an invocation.
func statusColour(status string) string {
	switch status {
	case "Success":
		return green
	case "Pending", "Scheduled", "Running", "Stopping", "Stopped", "Cancelled", "Terminated":
		return yellow
	}
	return red
}

// An InvocationFilter selects invocations; all that is given must match.
type InvocationFilter struct {
	Status      string
	Instance    string // ID or name
	Command     string // ID or name of a kept one
	CommandName string
	Limit       int // how many, the newest first; 0 for all
}

type invocationsRequest struct {
	InvokeId, InvokeStatus, InstanceId, CommandId, CommandName, ContentEncoding string
	Timed                                                                       *bool
}

func (s *Session) invocations(ctx context.Context, q invocationsRequest, limit int) (client.List[invocation], error) {
	q.ContentEncoding = "PlainText"
	list, err := client.Fetch[invocation](ctx, s.api, client.Listing{
		Action: "DescribeInvocations", Params: q, Path: []string{"Invocations", "Invocation"}, Limit: limit,
	})
	if err != nil {
		return list, refused(ctx, err)
	}
	return list, nil
}

// Invocations lists invocations, without schedules that go on.
func (s *Session) Invocations(ctx context.Context, f InvocationFilter) error {
	q := invocationsRequest{InvokeStatus: f.Status, CommandName: f.CommandName}
	if f.Instance != "" {
		one, err := s.instance(ctx, f.Instance)
		if err != nil {
			return err
		}
		q.InstanceId = one.Items[0].InstanceId
	}
	if f.Command != "" {
		one, err := s.command(ctx, f.Command)
		if err != nil {
			return err
		}
		q.CommandId = one.Items[0].CommandId
	}
	list, err := s.invocations(ctx, q, f.Limit)
	if err != nil {
		return err
	}
	return shown(s, invocationColumns, list, "no invocations: orderly run starts one, orderly schedule list shows schedules")
}

// invocation finds one invocation, as it was told.
func (s *Session) invocation(ctx context.Context, id string) (*invocation, json.RawMessage, error) {
	list, err := s.invocations(ctx, invocationsRequest{InvokeId: id}, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(list.Items) != 1 {
		return nil, nil, noInvocation(id)
	}
	return &list.Items[0], list.Raw[0], nil
}

func noInvocation(id string) error {
	return &Exit{Refused, Advise(fmt.Errorf("there is no invocation %s", id), "see which ones there are: orderly invocation list, orderly schedule list")}
}

// A machineState is a machine with what became of an invocation on it.
type machineState struct {
	client.InvokeInstance
	name string
}

var stateColumns = []Column[machineState]{
	{Title: "MACHINE", Cell: func(m *machineState) string { return m.name }, Cut: 12},
	{Title: "INSTANCE ID", Cell: func(m *machineState) string { return m.InstanceId }},
	{Title: "STATUS", Cell: func(m *machineState) string { return m.InvocationStatus }, Colour: func(m *machineState) string { return statusColour(m.InvocationStatus) }},
	{Title: "EXIT CODE", Cell: func(m *machineState) string { return number(m.ExitCode) }},
	{Title: "STARTED", Cell: func(m *machineState) string { return since(m.StartTime) }},
	{Title: "TOOK", Cell: func(m *machineState) string { return took(m.StartTime, m.FinishTime) }},
	{Title: "ERROR", Cell: func(m *machineState) string { return m.ErrorCode }},
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// Invocation shows one invocation, with the state of its machines.
func (s *Session) Invocation(ctx context.Context, id string) error {
	v, raw, err := s.invocation(ctx, id)
	if err != nil {
		return err
	}
	if err := One(s, invocationColumns, v, raw); err != nil || s.Format == JSON || s.Format == YAML {
		return err
	}
	return s.states(ctx, v)
}

// states prints the state of an invocation's machines.
func (s *Session) states(ctx context.Context, v *invocation) error {
	list := v.InvokeInstances.InvokeInstance
	names, err := s.names(ctx, ids(list, func(i *client.InvokeInstance) string { return i.InstanceId }))
	if err != nil {
		return refused(ctx, err)
	}
	states := make([]machineState, len(list))
	for i := range list {
		states[i] = machineState{list[i], nameOf(list[i].InstanceId, names)}
	}
	slices.SortStableFunc(states, func(a, b machineState) int { return natural(a.name, b.name) })
	if err := s.print("\n"); err != nil {
		return err
	}
	if len(list) >= embedded {
		s.note("these are the first %d machines: orderly results %s shows all", len(list), v.InvokeId)
	}
	return List(s, stateColumns, states, nil)
}

// InvocationIDs are the newest invocations, for completion.
func (s *Session) InvocationIDs(ctx context.Context) ([]string, error) {
	list, err := s.invocations(ctx, invocationsRequest{}, pageSize)
	var lines []string
	for i := range list.Items {
		v := &list.Items[i]
		lines = append(lines, v.InvokeId+"\t"+cellText(v.InvocationStatus+": "+v.title()))
	}
	return lines, err
}
