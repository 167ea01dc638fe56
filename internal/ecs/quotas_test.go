package ecs_test

import (
	"testing"

	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
)

// what was answered counts, by account and region; repetitions and refusals do not.
func TestInvocationsOfADayAreCounted(t *testing.T) {
	eachWith(t, setting{engine: engine.Config{DailyQuota: 2}}, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand).CommandId
		asked := script(id).with("ClientToken", "once")
		first := call[run](h, "RunCommand", asked)
		h.refused("RunCommand", script("mi-unknown"), 404, "InvalidInstance.NotFound")
		if again := call[run](h, "RunCommand", asked); again != first {
			t.Errorf("again %+v, want %+v", again, first)
		}
		invoked := values{"CommandId": command, "InstanceId.1": id}
		call[run](h, "InvokeCommand", invoked)
		h.refused("InvokeCommand", invoked, 403, "Invocation.ExceedQuota")
		h.refused("RunCommand", script(id), 403, "Invocation.ExceedQuota")
		call[run](h, "RunCommand", asked)
		if n := call[invocations](h, "DescribeInvocations", nil).TotalCount; n != 2 {
			t.Errorf("%d invocations, want 2", n)
		}
		if c := h.command(command); c.InvokeTimes != 1 { // DC-2
			t.Errorf("InvokeTimes %d, want 1", c.InvokeTimes)
		}
		stranger := h.as(other)
		call[run](stranger, "RunCommand", script(stranger.online()))
	})
}

// ERR-1: a quota that is used up is told of when all else is right.
func TestQuotasAreAskedLast(t *testing.T) {
	eachWith(t, setting{engine: engine.Config{CommandQuota: 1}, fleet: fleet.Config{MaxCodes: 1}}, func(t *testing.T, h *house) {
		id := h.online()
		call[run](h, "CreateCommand", aCommand.with("ClientToken", "once"))
		call[run](h, "CreateCommand", aCommand.with("ClientToken", "once")) // its answer is known
		h.refused("CreateCommand", aCommand.with("Type", "RunPython"), 404, "InvalidCmdType.NotFound")
		h.refused("CreateCommand", aCommand.with("ClientToken", "more"), 403, "CmdCount.ExceedQuota")
		kept := script(id).with("KeepCommand", "true")
		h.refused("RunCommand", kept.with("InstanceId.1", "mi-unknown"), 404, "InvalidInstance.NotFound")
		h.refused("RunCommand", kept.with("Type", "RunBatScript"), 400, "InvalidInstance.NotMatch")
		h.refused("RunCommand", kept, 403, "CmdCount.ExceedQuota")
		call[run](h, "RunCommand", kept.with("KeepCommand", "false"))
		h.refused("CreateActivation", values{"InstanceCount": "2000"}, 400, "ActivationLimitation.Invalid")
		h.refused("CreateActivation", nil, 400, "ActivationCount.ExceedLimit")
		call[struct{}](h, "DeleteCommand", values{"CommandId": call[commandIDs](h, "DescribeCommands", nil).Commands.Command[0].CommandId})
		call[run](h, "CreateCommand", aCommand.with("ClientToken", "more")) // what was refused has not used up its token
	})
}

// TOK-2: a token is of one account, region and operation.
func TestClientTokensAreOfOneRegion(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := aCommand.with("ClientToken", "t")
		first := call[run](h, "CreateCommand", asked)
		for name, again := range map[string]run{
			"another region":  call[run](h, "CreateCommand", asked.with("RegionId", "cn-beijing")),
			"another account": call[run](h.as(other), "CreateCommand", asked),
		} {
			if again.CommandId == "" || again == first {
				t.Errorf("%s: %v, want another command than %v", name, again, first)
			}
		}
		call[struct{ ActivationId string }](h, "CreateActivation", values{"ClientToken": "t"})
		if again := call[run](h, "CreateCommand", asked); again != first {
			t.Errorf("again %v, want %v", again, first)
		}
		h.refused("CreateCommand", asked.with("Launcher", "sh"), 403, "IdempotentParameterMismatch")
		h.refused("CreateCommand", asked.with("Tag.1.Key", "k"), 403, "IdempotentParameterMismatch")
	})
}

type commandIDs struct{ Commands struct{ Command []run } }
