package orderly

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A State is where a task stands on its instance (semantics section 4). The values are those of
// the published field InvocationStatus.
type State string

// The live states, and then the terminal ones, which never change.
const (
	Pending   State = "Pending"
	Scheduled State = "Scheduled"
	Running   State = "Running"
	Stopping  State = "Stopping"

	Success    State = "Success"
	Failed     State = "Failed"
	Timeout    State = "Timeout"
	Error      State = "Error"
	Invalid    State = "Invalid"
	Aborted    State = "Aborted"
	Cancelled  State = "Cancelled"
	Terminated State = "Terminated"
)

// States lists all states, live ones first.
var States = []State{Pending, Scheduled, Running, Stopping, Success, Failed, Timeout, Error, Invalid, Aborted, Cancelled, Terminated}

// Live reports whether s can still change.
func (s State) Live() bool {
	return s == Pending || s == Scheduled || s == Running || s == Stopping
}

// An Event is something that can happen to a task.
type Event string

// The events of a task's life.
const (
	Start     Event = "start"     // the agent reports a started process
	Arm       Event = "arm"       // the agent holds the schedule, or another occurrence exists
	Stop      Event = "stop"      // StopInvocation of a task that may have reached its agent
	Succeed   Event = "succeed"   // the process ended with exit code 0
	Fail      Event = "fail"      // the process ended with another exit code
	TimeOut   Event = "time out"  // the time limit of the run was over
	Break     Event = "break"     // it could not run, was interrupted, or its outcome is unknown
	Refuse    Event = "refuse"    // a check found that it cannot run there
	Abort     Event = "abort"     // it was not delivered in time, or the instance is gone
	Cancel    Event = "cancel"    // stopped, and known never to have started
	Terminate Event = "terminate" // stopped by killing it, or by dropping its schedule
)

// A Transition is one row of the table of a task's life.
type Transition struct {
	Rule    string // row of the table in semantics section 4.2
	From    State
	Event   Event
	To      State
	Trigger string // what brings it about, for people
}

// Transitions is the whole life of a task. docs/states.md is printed from it.
//
//go:generate go test -run ^TestStatesDocument$ . -update
var Transitions = []Transition{
	{"T2", Pending, Refuse, Invalid, "a check on the service or on the instance fails"},
	{"T3, T4", Pending, Abort, Aborted, "the instance is away, or the delivery limit is over"},
	{"T5", Pending, Start, Running, "the agent reports the start"},
	{"T6", Pending, Arm, Scheduled, "the agent confirms the schedule"},
	{"T7", Scheduled, Start, Running, "an occurrence starts"},
	{"T8", Running, Succeed, Success, "the process ends with exit code 0"},
	{"T9", Running, Fail, Failed, "the process ends with another exit code"},
	{"T10", Running, TimeOut, Timeout, "the time limit is over; the process is ended"},
	{"T11", Running, Break, Error, "it could not start, was interrupted, or nobody knows its outcome"},
	{"T11", Pending, Break, Error, "handed over, and nobody knows its outcome"},
	{"T12", Pending, Cancel, Cancelled, "stopped before it was handed to an agent"},
	{"T13", Scheduled, Cancel, Cancelled, "stopped before it was handed to an agent"},
	{"T14", Scheduled, Stop, Stopping, "stopped; the agent has not answered yet"},
	{"T15", Running, Stop, Stopping, "stopped; the agent has not answered yet"},
	{"T15", Pending, Stop, Stopping, "stopped; the agent has not answered yet"},
	{"T16", Stopping, Terminate, Terminated, "the agent killed it, or dropped a schedule that had run"},
	{"T17", Stopping, Succeed, Success, "it had ended by itself before the stop arrived"},
	{"T17", Stopping, Fail, Failed, "it had ended by itself before the stop arrived"},
	{"T17", Stopping, Refuse, Invalid, "the instance had refused it before the stop arrived"},
	{"T17, T18", Stopping, Break, Error, "it had broken before, could not be killed, or the agent never answered"},
	{"T19", Running, Arm, Scheduled, "a run of a schedule ended and another time exists"},
	{"T20", Stopping, TimeOut, Timeout, "its time limit fired before the kill"},
	{"T21", Stopping, Cancel, Cancelled, "the agent confirms that it never started"},
	{"T22", Pending, Succeed, Success, "one report of start and end"},
	{"T22", Pending, Fail, Failed, "one report of start and end"},
	{"T22", Pending, TimeOut, Timeout, "one report of start and end"},
	{"T22", Scheduled, Succeed, Success, "one report of start and end, and no other time exists"},
	{"T22", Scheduled, Fail, Failed, "one report of start and end, and no other time exists"},
	{"T22", Scheduled, TimeOut, Timeout, "one report of start and end, and no other time exists"},
	{"T22", Scheduled, Break, Error, "one report of start and end, and no other time exists"},
	{"T23", Scheduled, Refuse, Invalid, "the agent refuses what was changed"},
	{"REL-1", Scheduled, Abort, Aborted, "the instance is released"},
}

var next = func() map[State]map[Event]State {
	m := map[State]map[Event]State{}
	for _, t := range Transitions {
		if m[t.From] == nil {
			m[t.From] = map[Event]State{}
		}
		m[t.From][t.Event] = t.To
	}
	return m
}()

// Next returns the state that follows s after e, and false when s has no such way on.
func (s State) Next(e Event) (State, bool) {
	n, ok := next[s][e]
	return n, ok
}

// PrintStates writes docs/states.md.
func PrintStates(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# States of a task\n\n<!-- Printed from the table in state.go by `make states`; do not edit. -->\n\n")
	b.WriteString("A task is the share of one instance in one invocation. Live states: ")
	live, ended := []string{}, []string{}
	for _, s := range States {
		if s.Live() {
			live = append(live, string(s))
		} else {
			ended = append(ended, string(s))
		}
	}
	fmt.Fprintf(&b, "%s. Terminal states, which never change: %s.\n\n", strings.Join(live, ", "), strings.Join(ended, ", "))
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> Pending\n")
	for _, t := range Transitions {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", t.From, t.To, t.Event)
	}
	for _, s := range ended {
		fmt.Fprintf(&b, "    %s --> [*]\n", s)
	}
	b.WriteString("```\n\n| rule | from | event | to | what brings it about |\n|---|---|---|---|---|\n")
	for _, t := range Transitions {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", t.Rule, t.From, t.Event, t.To, t.Trigger)
	}
	b.WriteString("\n## What an invocation shows\n\nThe first row that matches counts (AG-1, semantics 5.3).\n\n| tasks | InvocationStatus |\n|---|---|\n")
	for _, r := range aggregates {
		fmt.Fprintf(&b, "| %s | %s |\n", r.rule, r.status)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ParseState is the state named s, and false for any other text.
func ParseState(s string) (State, bool) {
	return State(s), slices.Contains(States, State(s))
}
