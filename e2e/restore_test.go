package e2e_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// A loss is a server that goes back to a backup, and what was run before.
type loss struct {
	*testing.T
	server *stage.Server
	dir    string
}

// A server that went back to a backup runs nothing a second time: what its machines have run and told since, they are
// not sent again; what they have still, counts.
func TestRestoreRunsNothingTwice(t *testing.T) { // design 2b rule 18
	t.Parallel()
	l := &loss{t, stage.Open(t, stage.Options{Scale: 10}), t.TempDir()}
	busy, away := l.server.Agent("busy"), l.server.Agent("away")
	away.Stop()
	kept := l.start(client.RunCommandRequest{CommandContent: l.line("kept") + "; until test -e " + l.file("go") + "; do sleep 0.05; done; echo done"}, busy)
	l.await(kept, "Running", "")
	dropped := l.plan(l.line("dropped"), "at(2099-01-01 00:00:00)", busy)
	l.await(dropped, "Scheduled", "")
	once := l.start(client.RunCommandRequest{CommandContent: l.line("once"), DeliveryTimeout: 3600}, away)
	l.orderly("backup", l.file("copy"), "--data", l.server.Dir)

	away.Start()
	l.await(once, "Success", "")
	if err := l.server.API.StopInvocation(t.Context(), client.StopInvocationRequest{InvokeId: dropped}); err != nil {
		t.Fatal(err)
	}
	l.await(dropped, "Cancelled", "")
	after := l.start(client.RunCommandRequest{CommandContent: l.line("after")}, away)
	l.await(after, "Success", "")

	l.server.Kill()
	away.Stop()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(l.server.DB + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if out := l.orderly("restore", l.file("copy"), "--data", l.server.Dir); !bytes.Contains(out, []byte("3 tasks on 2 machines")) {
		t.Errorf("restore says %q, want 3 tasks on 2 machines", out)
	}
	l.server.Start()
	away.Start()
	l.await(once, "Error", "ExecutionInterrupted")
	l.await(dropped, "Error", "ExecutionInterrupted")
	if err := os.WriteFile(l.file("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if v := l.await(kept, "Success", ""); string(v.Output) != "done\n" {
		t.Errorf("output %q, want that of the one run", v.Output)
	}
	if v := l.server.Run("echo new", busy, away); v.InvocationStatus != "Success" {
		t.Errorf("what is run after the restore is %s, want Success", v.InvocationStatus)
	}
	for name, want := range map[string]string{"kept": "kept\n", "once": "once\n", "after": "after\n", "dropped": ""} {
		text, err := os.ReadFile(l.file(name))
		if err != nil && want != "" || string(text) != want {
			t.Errorf("%s has run as %q, %v; want %q", name, text, err, want)
		}
	}
}

func (l *loss) file(name string) string { return filepath.Join(l.dir, name) }

// line is a script that adds a line to a file.
func (l *loss) line(name string) string { return "echo " + name + " >> " + l.file(name) }

// start runs a command on a machine and does not wait.
func (l *loss) start(q client.RunCommandRequest, on *stage.Agent) string {
	l.Helper()
	q.InstanceId = []string{on.ID}
	run, err := l.server.API.RunCommand(l.Context(), q)
	if err != nil {
		l.Fatal(err)
	}
	return run.InvokeId
}

// plan starts a schedule on a machine.
func (l *loss) plan(script, frequency string, on *stage.Agent) string {
	l.Helper()
	var resp client.RunCommandResponse
	err := l.server.API.Call(l.Context(), "RunCommand", struct {
		RegionId, Type, CommandContent, Frequency string
		InstanceId                                []string
	}{stage.Region, "RunShellScript", base64.StdEncoding.EncodeToString([]byte(script)), frequency, []string{on.ID}}, &resp)
	if err != nil {
		l.Fatal(err)
	}
	return resp.InvokeId
}

// await waits until an invocation's only task is in a state, with a code.
func (l *loss) await(id, state, code string) (v client.InvokeInstance) {
	l.Helper()
	stage.Await(l.T, stage.Patience, id+" is "+state, func() error {
		got, err := l.server.API.DescribeInvocations(l.Context(), client.DescribeInvocationsRequest{InvokeId: id, IncludeOutput: true})
		if err != nil {
			return err
		}
		if len(got.Invocations.Invocation) != 1 || len(got.Invocations.Invocation[0].InvokeInstances.InvokeInstance) != 1 {
			return errors.New("it is not there")
		}
		v = got.Invocations.Invocation[0].InvokeInstances.InvokeInstance[0]
		if v.InvocationStatus != state || v.ErrorCode != code {
			return fmt.Errorf("it is %s %q", v.InvocationStatus, v.ErrorCode)
		}
		return nil
	})
	return v
}

// orderly is a command that the operator of the server types.
func (l *loss) orderly(args ...string) []byte {
	l.Helper()
	out, err := exec.CommandContext(l.Context(), stage.Program(l.T, "orderly"), args...).CombinedOutput()
	if err != nil {
		l.Fatalf("orderly %v: %v\n%s", args, err, out)
	}
	return out
}
