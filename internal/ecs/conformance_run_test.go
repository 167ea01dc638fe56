package ecs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A told is what DescribeInvocations says of how a command is run.
type told struct {
	CommandName, CommandDescription, CommandType, CommandContent, Parameters, WorkingDir string
	Timeout                                                                              int
	Username, RepeatMode, TerminationMode, Launcher                                      string
}

func (h *house) told(invoke string) told {
	h.t.Helper()
	r := call[struct{ Invocations struct{ Invocation []told } }](h, "DescribeInvocations", values{"InvokeId": invoke, "ContentEncoding": "PlainText"})
	if len(r.Invocations.Invocation) != 1 {
		h.t.Fatalf("%s: %+v", invoke, r)
	}
	return r.Invocations.Invocation[0]
}

// CMD-6, EN-2, EN-4, TERM-1: an invocation tells of every parameter it was made with.
func TestInvocationsTellHowTheyWereMade(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		asked := script(id).with("Name", "greet", "Description", "says hello", "CommandContent", "ZWNobyB7e25hbWV9fQ==", "ContentEncoding", "Base64",
			"EnableParameter", "true", "Parameters", `{"name": "you"}`, "WorkingDir", "/srv", "Timeout", "30", "Username", "nobody", "RepeatMode", "Once",
			"TerminationMode", "ProcessTree", "Launcher", "bash -x")
		want := told{
			CommandName: "greet", CommandDescription: "says hello", CommandType: "RunShellScript", CommandContent: "echo {{name}}", Parameters: `{"name":"you"}`,
			WorkingDir: "/srv", Timeout: 30, Username: "nobody", RepeatMode: "Once", TerminationMode: "ProcessTree", Launcher: "bash -x",
		}
		if diff := cmp.Diff(want, h.told(call[run](h, "RunCommand", asked).InvokeId)); diff != "" {
			t.Errorf("RunCommand (-want +got):\n%s", diff)
		}

		command := call[run](h, "CreateCommand", aCommand.with("CommandContent", "ZWNobyB7e25hbWV9fQ==", "EnableParameter", "true", "ContentEncoding", "Base64")).CommandId
		invoked := values{"CommandId": command, "InstanceId.1": id, "Parameters": `{"name":"me"}`, "WorkingDir": "/tmp", "Timeout": "40", "Username": "ann",
			"RepeatMode": "Once", "TerminationMode": "ProcessTree", "Launcher": "sh -e"}
		want = told{
			CommandName: "n", CommandType: "RunShellScript", CommandContent: "echo {{name}}", Parameters: `{"name":"me"}`,
			WorkingDir: "/tmp", Timeout: 40, Username: "ann", RepeatMode: "Once", TerminationMode: "ProcessTree", Launcher: "sh -e",
		}
		if diff := cmp.Diff(want, h.told(call[run](h, "InvokeCommand", invoked).InvokeId)); diff != "" {
			t.Errorf("InvokeCommand (-want +got):\n%s", diff)
		}

		plain := script(id).with("CommandContent", "ZWNobw==", "ContentEncoding", "PlainText", "TerminationMode", "Process")
		if got := h.told(call[run](h, "RunCommand", plain).InvokeId); got.CommandContent != "ZWNobw==" || got.TerminationMode != "Process" || got.Parameters != "{}" {
			t.Errorf("plain content: %+v", got)
		}
		again := values{"CommandId": command, "InstanceId.1": id, "TerminationMode": "Process"}
		if got := h.told(call[run](h, "InvokeCommand", again).InvokeId); got.TerminationMode != "Process" || got.Timeout != 60 {
			t.Errorf("another invocation: %+v", got)
		}
	})
}

// CMD-1, CMD-8: scripts of every type, and what a user of Windows needs.
func TestTypesOfCommands(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		linux, windows := h.online(), h.machine(orderly.Windows)
		h.connect(windows)
		for typ, id := range map[string]string{"RunShellScript": linux, "RunBatScript": windows, "RunPowerShellScript": windows} {
			user := values{}
			if id == windows {
				user = values{"Username": "ann", "WindowsPasswordName": "ann-secret"}
			}
			ran := call[run](h, "RunCommand", script(id).with("Type", typ).with(pairs(user)...)).InvokeId
			command := call[run](h, "CreateCommand", aCommand.with("Type", typ, "Name", typ)).CommandId
			invoked := call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": id}.with(pairs(user)...)).InvokeId
			for _, invoke := range []string{ran, invoked} {
				if got := h.told(invoke); got.CommandType != typ || got.Username != user["Username"] {
					t.Errorf("%s: %+v", typ, got)
				}
			}
			type listed struct {
				Commands struct {
					Command []struct{ CommandId, Type string }
				}
			}
			if got := call[listed](h, "DescribeCommands", values{"Type": typ}).Commands.Command; len(got) != 1 || got[0].CommandId != command || got[0].Type != typ {
				t.Errorf("commands of type %s: %+v", typ, got)
			}
		}
	})
}

// TGT-4, DLV-1: who is asked for a group or for patience by InvokeCommand is as by RunCommand.
func TestInvokeCommandTakesGroupAndPatience(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		online, away := h.online(), h.away(orderly.Linux)
		command := call[run](h, "CreateCommand", aCommand).CommandId
		grouped := call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": online, "ResourceGroupId": "rg-machines"}).InvokeId
		for group, want := range map[string]int{"rg-machines": 1, "rg-other": 0} {
			if got := call[invocations](h, "DescribeInvocations", values{"InvokeId": grouped, "ResourceGroupId": group}); got.TotalCount != want {
				t.Errorf("%d invocations of group %s, want %d", got.TotalCount, group, want)
			}
		}
		for patience, want := range map[string]string{"": "Aborted", "600": "Pending"} {
			invoke := call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": away, "DeliveryTimeout": patience}).InvokeId
			if row := h.result(values{"InvokeId": invoke}); row.InvocationStatus != want {
				t.Errorf("DeliveryTimeout %q: %s, want %s", patience, row.InvocationStatus, want)
			}
		}
	})
}

// TOK-1: a token is in work until all rows of a large invocation are there.
func TestTokensInWork(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.online()
		foreign := h.as(other)
		foreign.online()
		command := call[run](foreign, "CreateCommand", aCommand).CommandId
		all := values{"ResourceTag.1.Key": "orderly:all", "ClientToken": "t"}
		for action, v := range map[string]values{
			"RunCommand":    all.with("Type", "RunShellScript", "CommandContent", "true"),
			"InvokeCommand": all.with("CommandId", command),
		} {
			call[run](foreign, action, v) // leaves the digest of the parameters
			h.cutOff(action, "t")
			h.refused(action, v, 403, "IdempotentProcessing")
			h.refused(action, v.with("Timeout", "61"), 403, "IdempotentParameterMismatch")
		}
	})
}

// cutOff leaves what a server leaves that dies while it builds a large invocation: some of its rows,
// and its client token. The token's digest is that of the same request of the other account.
func (h *house) cutOff(operation, token string) {
	h.t.Helper()
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		before, _, err := tx.Replayed(store.ClientToken{Account: other, Region: region, Operation: operation, Token: token})
		if err != nil {
			return err
		}
		seq := h.db.NextSeq()
		v := orderly.Invocation{Seq: seq, ID: orderly.NewID("t", region, seq), Account: account, Region: region, Created: tx.Now.Add(-time.Second), Size: 1500,
			Command: orderly.Command{Seq: seq, ID: fmt.Sprint("c-", seq), Account: account, Region: region}}
		before.Account, before.Answer = account, fmt.Sprintf(`{"InvokeID":%q,"CommandID":"c"}`, v.ID)
		return errors.Join(tx.AddCommand(v.Command), tx.AddInvocation(v), tx.Remember(before))
	}))
}

// EXI-2: codes by which scripts tell the vendor's agent to restart their machine are codes like others.
func TestExitCodesThatRestartElsewhere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for _, code := range []int{193, 194, 3009, 3010} {
			row := h.result(values{"InvokeId": h.ran(script(id), map[string]orderly.Report{id: h.ended(orderly.Failed, code, "")})})
			if row.InvocationStatus != "Failed" || row.ErrorCode != "ExitCodeNonzero" || show(row.ExitCode) != fmt.Sprint(code) {
				t.Errorf("exit code %d: %+v", code, row)
			}
		}
	})
}
