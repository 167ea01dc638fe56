package orderly

import "time"

// A RepeatMode says when an invocation runs.
type RepeatMode string

// The repeat modes (rule RM-1).
const (
	Once           RepeatMode = "Once"
	Period         RepeatMode = "Period"
	NextRebootOnly RepeatMode = "NextRebootOnly"
	EveryReboot    RepeatMode = "EveryReboot"
	DryRun         RepeatMode = "DryRun"
)

// Repeats reports whether m runs later by itself (the modes of rule LG-2 and DI-3).
func (m RepeatMode) Repeats() bool { return m == Period || m == NextRebootOnly || m == EveryReboot }

// Recurs reports whether m may run more than once: each run has a record of its own (SC-7).
func (m RepeatMode) Recurs() bool { return m == Period || m == EveryReboot }

// AtBoot reports whether m runs at a boot of the machine: nothing hurries until then (SC-1).
func (m RepeatMode) AtBoot() bool { return m == NextRebootOnly || m == EveryReboot }

// A TerminationMode says what a stop or a time limit kills (rule TERM-1).
type TerminationMode string

// The termination modes.
const (
	KillProcess     TerminationMode = "Process"     // the script's process only
	KillProcessTree TerminationMode = "ProcessTree" // and everything that descends from it
)

// An Invocation is one request to run a command on a set of instances, or to put a file on them. Its fields are frozen at
// creation (rules CMD-6, MOD-2); only Status, Counts and the deadline move. What repeats can be modified (MIA-2).
type Invocation struct {
	Seq     int64 // order of creation (ID-5)
	ID      string
	Account string
	Region  string

	Command     Command // as it was when the invocation was created; Content with its placeholders (EN-5)
	File        *File   // what is put on the instances instead; nil for a command. Command has just a Timeout and a Realm then
	KeepCommand bool    // the command outlives the invocation (KEEP-1)
	Parameters  map[string]string
	Repeat      RepeatMode
	Frequency   string
	Version     int // how often ModifyInvocationAttribute changed what runs, and when (MIA-7)
	Termination TerminationMode

	Username            string
	WindowsPasswordName string
	ContainerID         string
	ContainerName       string
	ResourceGroup       string
	Tags                []Tag

	Delivery    time.Duration // how long a task may stay undelivered (DLV-1)
	WaitForAway bool          // DeliveryTimeout was given: away instances are waited for

	CallerKey string // access key that asked for it
	SourceIP  string // and where from

	Size     int // number of tasks
	Created  time.Time
	Finished time.Time // when the last task ended; zero while live
	Counts   Counts
}

// Status is the invocation's InvocationStatus (semantics 5.3).
func (i *Invocation) Status() Status { return i.Counts.Status() }

// LegacyStatus is the invocation's InvokeStatus (rules LG-2, LG-3).
func (i *Invocation) LegacyStatus() LegacyStatus { return i.Counts.LegacyStatus(i.Repeat) }

// Timed reports whether it will run by itself in future (rule DI-5).
func (i *Invocation) Timed() bool { return i.Repeat.Repeats() && i.Counts.Live() > 0 }
