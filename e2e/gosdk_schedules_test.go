package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// each10s is a cron expression with the shortest gap there may be.
const each10s = "*/10 * * * * ? UTC"

// schedule runs a script by RepeatMode and Frequency, with a timeout of 10 s, and returns its InvokeId.
func (p *play) schedule(a *stage.Agent, mode, frequency, script string) string {
	p.Helper()
	q := newRun(script, a)
	q.RepeatMode, q.Frequency, q.Timeout = mode, frequency, number(10)
	return ask(p, p.SDK.RunCommand, q).InvokeId
}

// history are the rows of an invocation's runs.
func (p *play) history(id string) []ecs.InvocationResult {
	p.Helper()
	q := ecs.CreateDescribeInvocationResultsRequest()
	q.InvokeId, q.IncludeHistory = id, truth(true)
	return ask(p, p.SDK.DescribeInvocationResults, q).Invocation.InvocationResults.InvocationResult
}

// lines waits until a file has so many lines, and returns them.
func (p *play) lines(file string, n int) (list []string) {
	p.Helper()
	stage.Await(p.T, stage.Patience, fmt.Sprintf("%d runs", n), func() error {
		text, _ := os.ReadFile(file) // until the first run there is none
		if list = strings.Fields(string(text)); len(list) < n {
			return fmt.Errorf("there are %d", len(list))
		}
		return nil
	})
	return list
}

// A schedule runs on the machine while the server is away; its runs come later, each once and with
// its own time. A stop while the agent is away waits for it.
func TestGoSDKSchedules(t *testing.T) { // SC-1, SC-5, SC-7, REP-3, STOP-7, T16
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		file := filepath.Join(p.TempDir(), "runs")
		id := p.schedule(a, "Period", each10s, "date +%s | tee -a "+file)
		armed := p.await(id, "Scheduled")
		if !armed.Timed || armed.InvokeStatus != "Running" || armed.Frequency != each10s || armed.RepeatMode != "Period" {
			p.Errorf("between runs: %+v", armed)
		}
		p.lines(file, 1)
		p.Server.Kill()
		before := a.Welcomes()
		p.lines(file, 2)
		p.Server.Start()
		a.AwaitWelcome(before)

		var rows []ecs.InvocationResult
		stage.Await(p.T, stage.Patience, "both runs are told", func() error {
			if rows = p.history(id); len(rows) < 2 {
				return fmt.Errorf("%d rows", len(rows))
			}
			return nil
		})
		for i, row := range rows { // the newest first
			at, err := time.Parse(time.RFC3339, row.StartTime)
			late := at.Second() % 10
			if err != nil || row.InvocationStatus != "Success" || row.Repeats != len(rows)-i || row.ExitCode != 0 || late > 5 {
				p.Errorf("run %d: %+v", len(rows)-i, row)
			}
		}

		a.Kill()
		stop := ecs.CreateStopInvocationRequest()
		stop.InvokeId = id
		ask(p, p.SDK.StopInvocation, stop)
		if v := p.invocation(id); v.InvocationStatus != "Stopping" || v.InvokeStatus != "Stopping" {
			p.Errorf("stopped while the agent is away: %s, %s; want Stopping", v.InvocationStatus, v.InvokeStatus)
		}
		a.Start()
		ended := p.await(id, "Stopped")
		task := ended.InvokeInstances.InvokeInstance[0]
		if ended.Timed || ended.InvokeStatus != "Stopped" || task.InvocationStatus != "Terminated" || task.StopTime == "" || task.Repeats < 2 {
			p.Errorf("stopped: %+v", ended)
		}
		if got, want := len(p.history(id)), len(p.lines(file, 2)); got != want || want != task.Repeats {
			p.Errorf("%d rows of history, Repeats %d; the machine ran it %d times", got, task.Repeats, want)
		}
	})
}

// The other modes: one time to come, one that has passed, nothing but a check, and boots.
func TestGoSDKRepeatModes(t *testing.T) { // SC-6, EX-4, RM-5, T13, T21
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		soon := p.schedule(a, "", time.Now().Add(4*time.Second).UTC().Format("at(2006-01-02 15:04:05)"), "echo once")
		past := p.schedule(a, "Period", "at(2020-01-01 00:00:00)", "echo never")
		dry := p.schedule(a, "DryRun", "", "echo never")
		boot := p.schedule(a, "NextRebootOnly", "", "echo boot")
		boots := p.schedule(a, "EveryReboot", "", "echo boot")

		for id, want := range map[string]struct {
			status, code, output string
			repeats              int
		}{
			soon: {"Success", "", "once\n", 1},
			past: {"Invalid", "AtExpressionExpired", "", 0},
			dry:  {"Success", "", "", 0},
		} {
			task := p.ended(id).InvokeInstances.InvokeInstance[0]
			if task.InvocationStatus != want.status || task.ErrorCode != want.code || task.Output != base64Of(want.output) || task.Repeats != want.repeats {
				p.Errorf("%s: %+v, want %+v", id, task, want)
			}
		}
		for _, id := range []string{boot, boots} {
			p.await(id, "Scheduled")
			stop := ecs.CreateStopInvocationRequest()
			stop.InvokeId = id
			ask(p, p.SDK.StopInvocation, stop)
			if task := p.await(id, "Stopped").InvokeInstances.InvokeInstance[0]; task.InvocationStatus != "Cancelled" || task.Repeats != 0 {
				p.Errorf("stopped before its boot: %+v", task)
			}
		}
	})
}
