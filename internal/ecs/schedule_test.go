package ecs_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// inRun makes a report one of a run of a schedule.
func inRun(n int, r orderly.Report) orderly.Report {
	r.Run, r.Number = n, int64(n)<<32|max(r.Number, 2)
	return r
}

// began is a report of a run that goes on.
func (h *house) began() orderly.Report {
	return orderly.Report{State: orderly.Running, Started: h.db.Now()}
}

// armed says that the agent holds the schedule.
var armed = orderly.Report{Number: 1, State: orderly.Pending}

// over says that the schedule is over, without a run.
func over(s orderly.State, code orderly.ErrorCode) orderly.Report {
	r := inRun(orderly.OverRun, orderly.Report{State: s, ErrorCode: code})
	r.Last = true
	return r
}

// Answers about a schedule, in both formats.
func TestAnswersOfSchedules(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		asked := script(machine).with("ClientToken", "once", "Name", "tidy", "RepeatMode", "Once", "Frequency", "0 */20 * * * * Asia/Shanghai", "Timed", "false")
		h.golden("RunCommand-schedule", "RunCommand", asked)
		id := values{"InvokeId": call[run](h, "RunCommand", asked).InvokeId, "IncludeOutput": "true", "ContentEncoding": "PlainText"}
		h.report(machine, armed)
		h.golden("DescribeInvocations-scheduled", "DescribeInvocations", id)
		h.report(machine, inRun(1, h.ended(orderly.Success, 0, "first")))
		h.report(machine, inRun(2, h.ended(orderly.Failed, 3, "second")))
		h.golden("DescribeInvocations-between-runs", "DescribeInvocations", id)
		h.golden("DescribeInvocationResults-history", "DescribeInvocationResults", values{"InvokeId": id["InvokeId"], "IncludeHistory": "true"})
		h.golden("DescribeInvocationResults-history-page", "DescribeInvocationResults", values{"InvokeId": id["InvokeId"], "IncludeHistory": "true", "MaxResults": "1"})
		h.report(machine, inRun(3, h.began()))
		h.golden("StopInvocation-schedule", "StopInvocation", values{"InvokeId": id["InvokeId"]})
		h.golden("DescribeInvocationResults-stopping", "DescribeInvocationResults", values{"InvokeId": id["InvokeId"], "IncludeHistory": "true", "PageSize": "1"})
		killed := inRun(3, h.ended(orderly.Terminated, 143, "third"))
		killed.Last = true
		h.report(machine, killed)
		h.golden("DescribeInvocations-stopped-schedule", "DescribeInvocations", id)

		for _, mode := range []string{"DryRun", "EveryReboot", "NextRebootOnly"} {
			ran := call[run](h, "RunCommand", script(machine).with("RepeatMode", mode)).InvokeId
			if mode == "DryRun" {
				h.report(machine, orderly.Report{Number: 9, State: orderly.Success, Finished: h.db.Now()})
			}
			h.golden("DescribeInvocations-"+mode, "DescribeInvocations", values{"InvokeId": ran, "IncludeOutput": "true"})
		}
	})
}

// RM-1, RM-2, RM-6: what a request says of times, and what is told of it then.
func TestModesAreToldAsTheyCount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		command := call[run](h, "CreateCommand", aCommand).CommandId
		type mode struct{ RepeatMode, Frequency string }
		made := map[string][]string{}
		for _, c := range []struct{ asked, want mode }{
			{mode{}, mode{"Once", ""}},
			{mode{"Once", ""}, mode{"Once", ""}},
			{mode{"DryRun", ""}, mode{"DryRun", ""}},
			{mode{"DryRun", "rate(1h)"}, mode{"DryRun", "rate(1h)"}},
			{mode{"EveryReboot", ""}, mode{"EveryReboot", ""}},
			{mode{"NextRebootOnly", ""}, mode{"NextRebootOnly", ""}},
			{mode{"Period", "rate(1h)"}, mode{"Period", "rate(1h)"}},
			{mode{"", "Rate ( 61 S)"}, mode{"Period", "Rate ( 61 S)"}},
			{mode{"Once", "at(2099-01-01 00:00:00 GMT+8:00)"}, mode{"Period", "at(2099-01-01 00:00:00 GMT+8:00)"}},
			{mode{"EveryReboot", "0 0 3 * * ?"}, mode{"Period", "0 0 3 * * ?"}},
		} {
			times := values{}
			if c.asked.RepeatMode != "" {
				times["RepeatMode"] = c.asked.RepeatMode
			}
			if c.asked.Frequency != "" {
				times["Frequency"] = c.asked.Frequency
			}
			for action, v := range map[string]values{"RunCommand": script(machine), "InvokeCommand": {"CommandId": command, "InstanceId.1": machine}} {
				maps.Copy(v, times)
				id := call[run](h, action, v).InvokeId
				got := call[struct{ Invocations struct{ Invocation []mode } }](h, "DescribeInvocations", values{"InvokeId": id}).Invocations.Invocation
				if !slices.Equal(got, []mode{c.want}) {
					t.Errorf("%s with %+v is told as %+v, want %+v", action, c.asked, got, c.want)
				}
				made[c.want.RepeatMode] = append(made[c.want.RepeatMode], id)
			}
		}
		for _, mode := range []string{"Once", "Period", "NextRebootOnly", "EveryReboot"} { // DI-7
			slices.Reverse(made[mode])
			if got := call[invocations](h, "DescribeInvocations", values{"RepeatMode": mode}); !slices.Equal(got.ids(), made[mode]) {
				t.Errorf("in mode %s: %v, want %v", mode, got.ids(), made[mode])
			}
		}
	})
}

// A standing is what the older and the newer vocabulary say of an invocation and of its first task.
type standing struct {
	Status, Legacy, Task, TaskLegacy string
	Timed                            bool
	Repeats                          int
}

func (h *house) standing(id string) standing {
	h.t.Helper()
	v := h.only(values{"InvokeId": id})
	row := v.InvokeInstances.InvokeInstance[0]
	return standing{v.InvocationStatus, v.InvokeStatus, row.InvocationStatus, row.InstanceInvokeStatus, v.Timed, row.Repeats}
}

func TestStatusesOverTheLifeOfASchedule(t *testing.T) { // LG-2, LG-4, DI-5, SC-5, SC-6, AG-1
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "RunCommand", script(machine).with("Frequency", "RATE (1 h)")).InvokeId
		step := func(name string, want standing) {
			t.Helper()
			if diff := cmp.Diff(want, h.standing(id)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		step("not confirmed", standing{"Pending", "Running", "Pending", "Running", true, 0})
		h.report(machine, armed)
		step("confirmed", standing{"Scheduled", "Running", "Scheduled", "Running", true, 0})
		h.report(machine, inRun(1, h.began()))
		step("runs", standing{"Running", "Running", "Running", "Running", true, 1})
		h.report(machine, inRun(1, h.ended(orderly.Timeout, 137, "")))
		step("between runs", standing{"Scheduled", "Running", "Scheduled", "Running", true, 1})
		call[struct{}](h, "StopInvocation", values{"InvokeId": id})
		step("stopping", standing{"Stopping", "Stopping", "Stopping", "Stopping", true, 1})
		h.report(machine, over(orderly.Cancelled, ""))
		step("stopped", standing{"Stopped", "Stopped", "Terminated", "Stopped", false, 1})

		id = call[run](h, "RunCommand", script(machine).with("Frequency", "at(2020-01-01 00:00:00)")).InvokeId // EX-4
		h.report(machine, over(orderly.Invalid, orderly.AtExpressionExpired))
		step("its time is over", standing{"Failed", "Running", "Invalid", "Running", false, 0})
		id = call[run](h, "RunCommand", script(machine).with("RepeatMode", "NextRebootOnly")).InvokeId
		h.report(machine, h.ended(orderly.Success, 0, ""))
		step("ended by itself", standing{"Success", "Running", "Success", "Running", false, 1})
	})
}

// DR-1 to DR-6, LG-4, PG-1: with IncludeHistory there is a row for each run.
func TestHistoryOfRuns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		id := call[run](h, "RunCommand", script(first, second).with("Frequency", "rate(1h)")).InvokeId
		ended := map[int]orderly.State{1: orderly.Success, 2: orderly.Timeout, 3: orderly.Failed}
		for n := 1; n <= 3; n++ {
			for _, machine := range []string{first, second} {
				h.later()
				h.report(machine, inRun(n, h.ended(ended[n], n, strconv.Itoa(n))))
			}
		}
		h.later()
		h.report(first, inRun(4, h.began()))
		once := call[run](h, "RunCommand", script(first)).InvokeId
		all := values{"InvokeId": id, "IncludeHistory": "true", "ContentEncoding": "PlainText"}
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"DR-1, PG-1", nil, []string{"4 Running", "3 Failed", "3 Failed", "2 Timeout", "2 Timeout", "1 Success", "1 Success"}},
			{"DR-3, LG-4", values{"InvokeRecordStatus": "Failed"}, []string{"3 Failed", "3 Failed", "2 Timeout", "2 Timeout"}},
			{"DR-3, LG-4", values{"InvokeRecordStatus": "Finished"}, []string{"3 Failed", "3 Failed", "1 Success", "1 Success"}},
			{"DR-3", values{"InvokeRecordStatus": "PartialFailed"}, nil},
			{"DR-6", values{"InvocationStatus": "Running"}, []string{"4 Running"}},
			{"DR-6", values{"InvocationStatus": "Scheduled"}, nil},
			{"DR-6", values{"InvocationStatus": "Timeout", "InvokeRecordStatus": "Finished"}, nil},
			{"DR-1", values{"InstanceId": second}, []string{"3 Failed", "2 Timeout", "1 Success"}},
			{"DR-1", values{"CommandId": "c-unknown"}, nil},
			{"DR-2, default", values{"IncludeHistory": "false"}, []string{"4 Running", "3 Scheduled"}},
			{"DR-2, of what runs once", values{"InvokeId": once}, []string{"0 Pending"}},
			{"DI-1", values{"InvokeId": "t-unknown"}, nil},
		} {
			filter := all.with()
			for name, value := range c.filter {
				filter[name] = value
			}
			if got := h.runs(filter); !slices.Equal(got, c.want) {
				t.Errorf("%s %v: %v, want %v", c.rule, c.filter, got, c.want)
			}
		}
		if got := h.as(other).runs(all); got != nil {
			t.Errorf("another account sees %v", got)
		}
		h.refused("DescribeInvocationResults", values{"IncludeHistory": "true"}, 400, "MissingParameter.InvokeId")
		h.checkHistoryPages(all)
	})
}

// later waits until what starts from now on does not start at the same time as what did before.
func (h *house) later() {
	for start := h.db.Now(); h.db.Now().Sub(start) < 2*time.Millisecond; {
	}
}

// A row is one of DescribeInvocationResults.
type row struct {
	InvocationStatus, InvokeRecordStatus string
	Repeats                              int
}

type rows struct {
	Invocation struct {
		TotalCount        int
		NextToken         string
		InvocationResults struct{ InvocationResult []row }
	}
}

// runs lists rows as "repeats status".
func (h *house) runs(filter values) (list []string) {
	h.t.Helper()
	r := call[rows](h, "DescribeInvocationResults", filter)
	for _, x := range r.Invocation.InvocationResults.InvocationResult {
		list = append(list, strconv.Itoa(x.Repeats)+" "+x.InvocationStatus)
	}
	if r.Invocation.TotalCount != len(list) {
		h.t.Errorf("%v: TotalCount %d of %d rows", filter, r.Invocation.TotalCount, len(list))
	}
	return list
}

// checkHistoryPages goes through a history of seven rows by token, which is good for nothing else (PG-5, PG-6).
func (h *house) checkHistoryPages(all values) {
	h.t.Helper()
	var got []int
	page := all.with("MaxResults", "3")
	for range 3 {
		r := call[rows](h, "DescribeInvocationResults", page).Invocation
		for _, x := range r.InvocationResults.InvocationResult {
			got = append(got, x.Repeats)
		}
		if page["NextToken"] = r.NextToken; r.TotalCount != 7 {
			h.t.Errorf("TotalCount %d, want 7", r.TotalCount)
		}
		if r.NextToken != "" {
			h.refused("DescribeInvocationResults", page.with("IncludeHistory", "false"), 400, "InvalidParameter.NextToken")
		}
	}
	if want := []int{4, 3, 3, 2, 2, 1, 1}; !slices.Equal(got, want) || page["NextToken"] != "" {
		h.t.Errorf("pages hold %v, want %v", got, want)
	}
}

// A late run says which one it was (RP-2, STOP-7).
func TestLateRunIsShown(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "RunCommand", script(machine).with("RepeatMode", "EveryReboot")).InvokeId
		h.report(machine, inRun(1, h.ended(orderly.Success, 0, "")))
		call[struct{}](h, "StopInvocation", values{"InvokeId": id})
		h.later()
		h.report(machine, inRun(2, h.ended(orderly.Success, 0, "late")))
		late := call[struct {
			LateResults struct {
				LateResult []struct {
					Repeats int
					Output  string
				}
			}
		}](h, "DescribeLateResults", values{"InvokeId": id, "ContentEncoding": "PlainText"}).LateResults.LateResult
		if len(late) != 1 || late[0].Repeats != 2 || late[0].Output != "late" {
			t.Errorf("late results = %+v, want the second run", late)
		}
		if got := h.runs(values{"InvokeId": id, "IncludeHistory": "true"}); !slices.Equal(got, []string{"1 Success"}) {
			t.Errorf("history = %v, want the first run", got)
		}
	})
}
