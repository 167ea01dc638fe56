package orderly

// A Status is what an invocation shows for all its tasks together: the published InvocationStatus.
type Status string

// The aggregate statuses.
const (
	StatusPending       Status = "Pending"
	StatusScheduled     Status = "Scheduled"
	StatusRunning       Status = "Running"
	StatusStopping      Status = "Stopping"
	StatusStopped       Status = "Stopped"
	StatusSuccess       Status = "Success"
	StatusFailed        Status = "Failed"
	StatusPartialFailed Status = "PartialFailed"
)

// A LegacyStatus is the older vocabulary: InvokeStatus of an invocation, InstanceInvokeStatus and
// InvokeRecordStatus of a task (semantics 5.4).
type LegacyStatus string

// The legacy statuses.
const (
	LegacyRunning       LegacyStatus = "Running"
	LegacyStopping      LegacyStatus = "Stopping"
	LegacyStopped       LegacyStatus = "Stopped"
	LegacyFailed        LegacyStatus = "Failed"
	LegacyFinished      LegacyStatus = "Finished"
	LegacyPartialFailed LegacyStatus = "PartialFailed"
)

// Counts holds how many tasks of an invocation stand where: enough to tell both of its statuses
// without looking at the tasks. Adding the counts of two sets gives the counts of their union.
type Counts struct {
	Pending, Scheduled, Running, Stopping int
	Success                               int
	Failed                                int // ended with an exit code other than 0
	Broken                                int // Timeout, Error, Invalid, Aborted
	Stopped                               int // Cancelled, Terminated
	Halted                                int // terminal in any way after a stop; counted beside the others (LG-2)
}

// Count is the counts of a single task.
func Count(s State, stopped bool) Counts {
	var c Counts
	*c.of(s) = 1
	if stopped && !s.Live() {
		c.Halted = 1
	}
	return c
}

// of is the counter that a state falls into.
func (c *Counts) of(s State) *int {
	switch s {
	case Pending:
		return &c.Pending
	case Scheduled:
		return &c.Scheduled
	case Running:
		return &c.Running
	case Stopping:
		return &c.Stopping
	case Success:
		return &c.Success
	case Failed:
		return &c.Failed
	case Cancelled, Terminated:
		return &c.Stopped
	default:
		return &c.Broken
	}
}

// Add is the sum of two counts; with Sub it makes the deltas that keep a stored counter true.
func (c Counts) Add(d Counts) Counts {
	return Counts{
		c.Pending + d.Pending, c.Scheduled + d.Scheduled, c.Running + d.Running, c.Stopping + d.Stopping,
		c.Success + d.Success, c.Failed + d.Failed, c.Broken + d.Broken, c.Stopped + d.Stopped, c.Halted + d.Halted,
	}
}

// Sub is c without d.
func (c Counts) Sub(d Counts) Counts {
	return c.Add(Counts{
		-d.Pending, -d.Scheduled, -d.Running, -d.Stopping,
		-d.Success, -d.Failed, -d.Broken, -d.Stopped, -d.Halted,
	})
}

// Live is how many can still change.
func (c Counts) Live() int { return c.Pending + c.Scheduled + c.Running + c.Stopping }

// Total is how many there are.
func (c Counts) Total() int { return c.Live() + c.Success + c.Failed + c.Broken + c.Stopped }

// aggregates is the decision table of semantics 5.3: the first row that matches counts.
var aggregates = []struct {
	rule    string
	status  Status
	matches func(Counts) bool
}{
	{"any Pending", StatusPending, func(c Counts) bool { return c.Pending > 0 }},
	{"any Scheduled", StatusScheduled, func(c Counts) bool { return c.Scheduled > 0 }},
	{"any Running", StatusRunning, func(c Counts) bool { return c.Running > 0 }},
	{"any Stopping", StatusStopping, func(c Counts) bool { return c.Stopping > 0 }},
	{"all in Cancelled, Terminated", StatusStopped, func(c Counts) bool { return c.Stopped == c.Total() }},
	{"Success, and none failed", StatusSuccess, func(c Counts) bool { return c.Failed+c.Broken == 0 }},
	{"failed (Failed, Timeout, Error, Invalid, Aborted), and no Success", StatusFailed, func(c Counts) bool { return c.Success == 0 }},
	{"both Success and failed", StatusPartialFailed, func(Counts) bool { return true }},
}

// Status is the InvocationStatus of the tasks counted (semantics 5.3, rules AG-1 to AG-3).
func (c Counts) Status() Status {
	for _, row := range aggregates {
		if row.matches(c) {
			return row.status
		}
	}
	return StatusPartialFailed
}

// LegacyStatus is the InvokeStatus of the tasks counted, for an invocation of the given mode
// (the published priority list, LG-3; repeating modes by LG-2).
func (c Counts) LegacyStatus(m RepeatMode) LegacyStatus {
	if m.Repeats() {
		return c.legacyRepeating()
	}
	finished := c.Success + c.Failed
	switch {
	case c.Pending+c.Scheduled+c.Running > 0:
		return LegacyRunning
	case c.Stopping > 0:
		return LegacyStopping
	case c.Stopped == c.Total():
		return LegacyStopped
	case finished == 0:
		return LegacyFailed
	case c.Broken == 0:
		return LegacyFinished
	}
	return LegacyPartialFailed
}

// legacyRepeating is LegacyStatus for the modes that repeat: a task there is Running until a stop,
// also when it ended by itself (LG-2).
func (c Counts) legacyRepeating() LegacyStatus {
	switch {
	case c.Total()-c.Stopping-c.Halted > 0:
		return LegacyRunning
	case c.Stopping > 0:
		return LegacyStopping
	}
	return LegacyStopped
}

// LegacyStatus is the InstanceInvokeStatus of one task (LG-1, LG-2); stopped says whether
// StopInvocation was called on it.
func (s State) LegacyStatus(m RepeatMode, stopped bool) LegacyStatus {
	return Count(s, stopped).LegacyStatus(m)
}
