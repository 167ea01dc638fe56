package ecs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// An ending is how DescribeInvocations shows a task that did not succeed.
type ending struct{ State, Legacy, Code, Info string }

// checkEnding compares the one task of an invocation with what is wanted of it, in both operations.
func (h *house) checkEnding(invoke string, want ending) {
	h.t.Helper()
	row, result := h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance[0], h.result(values{"InvokeId": invoke})
	got := ending{row.InvocationStatus, row.InstanceInvokeStatus, row.ErrorCode, row.ErrorInfo}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("(-want +got):\n%s", diff)
	}
	same := ending{result.InvocationStatus, result.InvokeRecordStatus, result.ErrorCode, result.ErrorInfo}
	if diff := cmp.Diff(got, same); diff != "" {
		h.t.Errorf("%s: the operations differ (-invocation +result):\n%s", want.Code, diff)
	}
}

// T2, T10, T11: what an agent says of a task is what is told of it, also a code that no
// agent of ours has.
func TestFaultsThatAgentsReport(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		for _, c := range []struct {
			report orderly.Report
			want   ending
		}{
			{orderly.Report{State: orderly.Invalid, ErrorCode: orderly.CommandNotApplicable},
				ending{"Invalid", "Failed", "CommandNotApplicable", "The OS type of the instance does not support the specified command type"}},
			{orderly.Report{State: orderly.Invalid, ErrorCode: orderly.AccountNotExists},
				ending{"Invalid", "Failed", "AccountNotExists", "The specified account does not exist"}},
			{orderly.Report{State: orderly.Invalid, ErrorCode: orderly.DirectoryNotExists},
				ending{"Invalid", "Failed", "DirectoryNotExists", "The specified directory does not exist"}},
			{orderly.Report{State: orderly.Invalid, ErrorCode: orderly.ClientNeedUpgrade},
				ending{"Invalid", "Failed", "ClientNeedUpgrade", "The aliyun service in the instance need to be upgraded"}},
			{orderly.Report{State: orderly.Error, ErrorCode: orderly.ClientIsUpgrading},
				ending{"Error", "Failed", "ClientIsUpgrading", "The aliyun service in the instance is upgrading during task execution"}},
			{orderly.Report{State: orderly.Error, ErrorCode: orderly.SecurityGroupRuleDenied},
				ending{"Error", "Failed", "SecurityGroupRuleDenied", "The security group rules denied access to the aliyun service"}},
			{orderly.Report{State: orderly.Error},
				ending{"Error", "Failed", "ExecutionException", "The command execution got an exception"}},
			{h.ended(orderly.Timeout, 137, ""), ending{"Timeout", "Failed", "ExecutionTimeout", "The command execution has been timeout"}},
			{h.ended(orderly.Failed, 3, ""), ending{"Failed", "Finished", "ExitCodeNonzero", "The command execution exit code is not zero"}},
		} {
			h.checkEnding(h.ran(script(machine), map[string]orderly.Report{machine: c.report}), c.want)
		}
		cron := script(machine).with("Frequency", "0 0 3 * * ?")
		h.checkEnding(h.ran(cron, map[string]orderly.Report{machine: over(orderly.Invalid, orderly.BadCronExpression)}),
			ending{"Invalid", "Running", "BadCronExpression", "The cron expression is invalid"}) // LG-2
	})
}

// T3, HND-4, REL-1: what is known of a machine without its agent's word.
func TestFaultsOfMachinesThatAreGone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.checkEnding(h.ran(script(h.away(orderly.Linux)), nil),
			ending{"Aborted", "Failed", "InstanceNotRunning", "The specified instance was not running during task execution"})

		forgetful := h.online()
		accepted := h.ran(script(forgetful), map[string]orderly.Report{forgetful: {State: orderly.Pending}})
		must(t, h.engine.Lost(t.Context(), map[string]string{forgetful: "link-" + forgetful}))
		h.greet(forgetful, "another link") // with an empty list
		h.checkEnding(accepted, ending{"Error", "Failed", "ExecutionInterrupted", "The command execution has been interrupted"})

		silent, handed := h.machine(orderly.Linux), h.online()
		waits, begun := h.ran(script(silent), nil), h.ran(script(handed), map[string]orderly.Report{handed: h.began()})
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			return errors.Join(h.engine.Release(tx, silent, orderly.InstanceNotExists), h.engine.Release(tx, handed, orderly.InstanceReleased))
		}))
		h.checkEnding(waits, ending{"Aborted", "Failed", "InstanceNotExists", "The specified instance does not exist"})
		h.checkEnding(begun, ending{"Error", "Failed", "InstanceReleased", "The specified instance was released during task execution"})
	})
}

// T4, AB-2: a task that no agent took in time says what was wrong with the agent when it was due.
func TestFaultsOfDelivery(t *testing.T) {
	limits := orderly.DefaultLimits
	limits.FireDelay = time.Millisecond
	hasty := setting{engine: engine.Config{Limits: limits, Delivery: time.Millisecond, Sweep: time.Millisecond}}
	eachWith(t, hasty, func(t *testing.T, h *house) {
		var machines, made []string
		for range 4 {
			machine := h.machine(orderly.Linux)
			machines, made = append(machines, machine), append(made, h.ran(script(machine), nil))
		}
		h.later() // it is too late to hand them over
		h.connect(machines[1:]...)
		h.raw("update presence set heartbeat = 1 where instance = '" + machines[1] + "'") // not heard since long
		must(t, h.engine.Lost(t.Context(), map[string]string{machines[2]: "link-" + machines[2]}))
		h.fireAll()
		for i, want := range []ending{
			{"Aborted", "Failed", "ClientNotRunning", "The aliyun service is not running on the instance"},
			{"Aborted", "Failed", "ClientNotResponse", "The aliyun service in the instance does not response"},
			{"Aborted", "Failed", "ClientNotOnline", "The aliyun service on the instance has lost its connection"},
			{"Aborted", "Failed", "DeliveryTimeout", "The command delivery has been timeout"},
		} {
			h.checkEnding(made[i], want)
		}
	})
}

// fireAll lets the timers go until nothing waits for an agent.
func (h *house) fireAll() {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	var timers sync.WaitGroup
	timers.Go(func() {
		if err := h.engine.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	defer timers.Wait()
	defer stop()
	pending := store.InvocationFilter{Account: account, Region: region, Status: string(orderly.Pending)}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); ; {
		_, n, err := h.db.Invocations(h.t.Context(), pending, store.Page{Limit: 1})
		must(h.t, err)
		if n == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			h.t.Fatalf("%d invocations wait", n)
		}
	}
}
