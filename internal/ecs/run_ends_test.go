package ecs_test

import (
	"testing"

	"github.com/orderly-run/orderly"
)

// CMD-7, CMD-8, SZ-3, CMD-2, ENV-4, T2: what only the machine can find makes the run Invalid there.
func TestWhatTheMachineRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for _, code := range []orderly.ErrorCode{
			orderly.DirectoryNotExists, orderly.DefaultDirNotAvailable, orderly.AccountNotExists, orderly.UserOrPasswordInvalid,
			orderly.CommandContentDecodeError, orderly.CommandNotApplicable, orderly.InvalidBuiltInParameter,
		} {
			invoke := h.ran(script(id), map[string]orderly.Report{id: {State: orderly.Invalid, ErrorCode: code}})
			row := h.result(values{"InvokeId": invoke})
			if row.InvocationStatus != "Invalid" || row.ErrorCode != string(code) || row.ErrorInfo != code.Info() || row.ExitCode != nil || row.Repeats != 0 {
				t.Errorf("%s: %+v", code, row)
			}
		}
	})
}

// CMD-8: only on Windows, and only for users other than System, is a password needed.
func TestUsersWithoutPasswords(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		linux, windows := h.online(), h.machine(orderly.Windows)
		for _, v := range []values{
			script(linux).with("Username", "ann"),
			script(windows).with("Type", "RunBatScript"),
			script(windows).with("Type", "RunBatScript", "Username", "System"),
			script(windows).with("Type", "RunPowerShellScript", "Username", "SYSTEM"),
			script(windows).with("Type", "RunPowerShellScript", "Username", "ann", "WindowsPasswordName", "secret-of-ann"),
		} {
			got := h.setup(call[run](h, "RunCommand", v).InvokeId)
			if got.Username != v["Username"] {
				t.Errorf("%v is shown with the user %q", v, got.Username)
			}
		}
	})
}

// TERM-1, CMD-9: what counts when nothing is said.
func TestDefaultsOfARun(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for asked, want := range map[string]string{"": "Process", "Process": "Process", "ProcessTree": "ProcessTree"} {
			ran := call[run](h, "RunCommand", script(id).with("TerminationMode", asked))
			if got := h.setup(ran.InvokeId); got.TerminationMode != want || got.CommandName != "" || got.Username != "" || got.WorkingDir != "" {
				t.Errorf("TerminationMode %q: %+v, want %s", asked, got, want)
			}
			if row := h.result(values{"InvokeId": ran.InvokeId}); row.TerminationMode != want {
				t.Errorf("TerminationMode %q: result has %q", asked, row.TerminationMode)
			}
		}
		h.wire.mu.Lock()
		defer h.wire.mu.Unlock()
		for _, m := range h.wire.sent {
			if m.Of.Termination != orderly.KillProcess && m.Of.Termination != orderly.KillProcessTree {
				t.Errorf("the agent is told to kill by %q", m.Of.Termination)
			}
		}
	})
}

// KEEP-1, DEL-2: a command that is not kept is nobody's but its invocation's, and gone with its end.
func TestCommandsThatAreNotKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		count := func() int { return call[struct{ TotalCount int }](h, "DescribeCommands", nil).TotalCount }
		for _, end := range []string{"ended", "stopped"} {
			ran := call[run](h, "RunCommand", script(id).with("Name", "passing", "Tag.1.Key", "k"))
			invoked := values{"CommandId": ran.CommandId, "InstanceId.1": id}
			h.refused("InvokeCommand", invoked, 404, "InvalidCmdId.NotFound")
			if n := count(); n != 0 {
				t.Errorf("%s: %d commands are listed while it runs, want none", end, n)
			}
			if end == "ended" {
				h.report(id, h.ended(orderly.Success, 0, ""))
			} else {
				call[struct{}](h, "StopInvocation", values{"InvokeId": ran.InvokeId})
				h.report(id, orderly.Report{State: orderly.Cancelled})
			}
			h.refused("InvokeCommand", invoked, 404, "InvalidCmdId.NotFound")
			got := h.setup(ran.InvokeId)
			if got.CommandId != ran.CommandId || got.CommandName != "passing" || got.CommandContent != "echo hello" || count() != 0 {
				t.Errorf("%s: %+v with %d commands", end, got, count())
			}
		}
		kept := call[run](h, "RunCommand", script(id).with("Name", "staying", "KeepCommand", "true", "Tag.1.Key", "k", "Description", "d"))
		h.report(id, h.ended(orderly.Success, 0, ""))
		if c := h.command(kept.CommandId); c.Name != "staying" || c.Description != "d" || len(c.Tags.Tag) != 1 || c.InvokeTimes != 1 {
			t.Errorf("kept: %+v", c)
		}
		call[run](h, "InvokeCommand", values{"CommandId": kept.CommandId, "InstanceId.1": id})
	})
}
