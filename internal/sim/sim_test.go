package sim_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/server"
	"github.com/orderly-run/orderly/internal/sim"
)

// serve starts a real server in this process and returns it with a client of its API.
func serve(t *testing.T) (*server.Server, *client.Client) {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Scale: 10, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	wait(t, s.Ready())
	key := s.First().Key
	c, err := client.New(client.Config{Endpoint: s.Endpoint(), KeyID: key.ID, Secret: key.Secret, Region: "cn-hangzhou"})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// run runs f until the test has ended, and waits for its end.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("it takes too long")
	}
}

// fleet lets a fleet work on a server until the test has ended.
func fleet(t *testing.T, s *server.Server, cfg sim.Config) *sim.Fleet {
	t.Helper()
	cfg.Server, cfg.Activate, cfg.Scale = s.Endpoint(), s.Activate, 10
	f, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, f.Run)
	wait(t, f.Ready())
	return f
}

// invoke runs a command on all machines and waits for its end.
func invoke(t *testing.T, c *client.Client) (*client.Invocation, map[string]client.InvocationResult) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := c.RunCommand(ctx, client.RunCommandRequest{CommandContent: "hostname", ResourceTag: []client.Tag{{Key: "orderly:all"}}})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := c.WaitInvocation(ctx, resp.InvokeId, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.DescribeInvocationResults(ctx, client.DescribeInvocationResultsRequest{InvokeId: resp.InvokeId})
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]client.InvocationResult{}
	for _, r := range list {
		results[r.InstanceId] = r
	}
	return inv, results
}

func TestFleetAnswersACommand(t *testing.T) {
	s, c := serve(t)
	f := fleet(t, s, sim.Config{Agents: 50, PerActivation: 20, Output: 100})
	inv, results := invoke(t, c)
	if inv.InvocationStatus != "Success" {
		t.Errorf("the invocation ended as %s", inv.InvocationStatus)
	}
	if len(results) != 50 {
		t.Errorf("%d results, want 50", len(results))
	}
	for _, id := range f.Instances() {
		r := results[id]
		if r.InvocationStatus != "Success" || r.ExitCode == nil || *r.ExitCode != 0 {
			t.Errorf("%s: %+v, want Success with exit code 0", id, r)
		}
		if want := strings.Repeat(id+"\n", 10)[:100]; string(r.Output) != want {
			t.Errorf("%s wrote %q, want %q", id, r.Output, want)
		}
	}
	tick, over := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for f.Counts().Acked < 50 { // an acknowledgement may be on its way when the result is in the database
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%+v, want 50 ends in the database", f.Counts())
		}
	}
	if n := f.Counts(); n.Runs != 50 || n.Acked != 50 || n.Registered != 50 {
		t.Errorf("%+v, want 50 runs and 50 ends in the database", n)
	}
}

func TestShareOfFailures(t *testing.T) {
	s, c := serve(t)
	fleet(t, s, sim.Config{Agents: 10, Fail: 30})
	inv, results := invoke(t, c)
	if inv.InvocationStatus != "PartialFailed" {
		t.Errorf("the invocation ended as %s", inv.InvocationStatus)
	}
	failed := 0
	for id, r := range results {
		switch {
		case r.InvocationStatus == "Failed" && r.ExitCode != nil && *r.ExitCode == 1:
			failed++
		case r.InvocationStatus != "Success":
			t.Errorf("%s: %+v", id, r)
		}
	}
	if failed != 3 {
		t.Errorf("%d of 10 failed, want 3", failed)
	}
}

// STOP-2: what runs is ended by its agent.
func TestStopReachesTheFleet(t *testing.T) {
	s, c := serve(t)
	f := fleet(t, s, sim.Config{Agents: 5, Delay: time.Hour})
	resp, err := c.RunCommand(t.Context(), client.RunCommandRequest{CommandContent: "sleep 3600", Timeout: 7200, ResourceTag: []client.Tag{{Key: "orderly:all"}}})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	inv, err := c.WaitInvocation(t.Context(), resp.InvokeId, func(*client.Invocation) {
		if !stopped && f.Counts().Runs == 5 {
			stopped = true
			if err := c.StopInvocation(t.Context(), client.StopInvocationRequest{InvokeId: resp.InvokeId}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if inv.InvocationStatus != "Stopped" || f.Counts().Stopped != 5 {
		t.Errorf("the invocation ended as %s, %+v", inv.InvocationStatus, f.Counts())
	}
}

func TestImpossibleFleets(t *testing.T) {
	activate := func(context.Context, int) (string, string, error) { return "", "", nil }
	for name, cfg := range map[string]sim.Config{
		"no agents":      {Activate: activate},
		"no activations": {Agents: 1},
		"too many fail":  {Agents: 1, Fail: 101, Activate: activate},
		"negative share": {Agents: 1, Fail: -1, Activate: activate},
	} {
		if _, err := sim.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOutput(t *testing.T) {
	for _, tt := range []struct {
		size int
		want string
	}{
		{0, ""}, {-1, ""}, {1, "a"}, {3, "ab\n"}, {4, "ab\na"},
	} {
		if got := string(sim.Output("ab", tt.size)); got != tt.want {
			t.Errorf("Output of %d bytes = %q, want %q", tt.size, got, tt.want)
		}
	}
	all := strings.Repeat("ab\n", 10_000)
	if got := string(sim.Output("ab", len(all)-1)); got != all[len(all)-1-24576:len(all)-1] {
		t.Error("of a long output the last 24576 bytes are kept (OUT-1)")
	}
}
