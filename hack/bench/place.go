package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// A place is a server of its own, on an empty database.
type place struct {
	b      *bench
	dir    string
	server *process
	client *client.Client
	where  struct{ Endpoint, CAFile string }
}

// open starts a server on loopback with TLS on or off.
func (b *bench) open(ctx context.Context, mode string) (*place, error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, err
	}
	p := &place{b: b, dir: dir}
	c := command{path: filepath.Join(b.bin, "orderly"), args: []string{"server", "--log-level", "error", "--listen", "127.0.0.1:0",
		"--nats-listen", "127.0.0.1:0", "--tls", mode}, env: p.env()}
	if b.profile != "" {
		if c, err = b.profiled(dir, mode); err != nil {
			return nil, err
		}
	}
	if p.server, err = start(ctx, c); err != nil {
		return nil, err
	}
	go func() { // what it says is for people; ends with it
		for range p.server.lines {
		}
	}()
	if err := p.meet(ctx); err != nil {
		p.server.stop()
		return nil, err
	}
	return p, nil
}

// env lets programs find the server by its directory.
func (p *place) env() []string { return []string{"ORDERLY_DATA=" + p.dir} }

// meet waits until the server is ready and finds out how to call it.
func (p *place) meet(ctx context.Context) error {
	if err := eventually(ctx, 15*time.Second, func() (bool, error) {
		_, err := os.Stat(filepath.Join(p.dir, "server.json"))
		return err == nil, nil
	}); err != nil {
		return fmt.Errorf("the server does not start: %w", err)
	}
	var key struct{ AccessKeyID, AccessKeySecret string }
	for file, v := range map[string]any{"server.json": &p.where, "access-key.json": &key} {
		text, err := os.ReadFile(filepath.Join(p.dir, file))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return err
		}
	}
	var err error
	p.client, err = client.New(client.Config{
		Endpoint: p.where.Endpoint, CAFile: p.where.CAFile, KeyID: key.AccessKeyID, Secret: key.AccessKeySecret, Region: "cn-hangzhou",
	})
	return err
}

// eventually waits until what it is told holds.
func eventually(ctx context.Context, patience time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// invoke runs a command on all machines and returns how long it took from the request until it was
// seen to have succeeded on all of them. Poll is the pause between looks.
func (p *place) invoke(ctx context.Context, script string, poll time.Duration) (time.Duration, error) {
	begin := time.Now()
	resp, err := p.client.RunCommand(ctx, client.RunCommandRequest{CommandContent: script, ResourceTag: []client.Tag{{Key: "orderly:all"}}})
	if err != nil {
		return 0, err
	}
	for time.Since(begin) < 2*time.Minute {
		list, err := p.client.DescribeInvocations(ctx, client.DescribeInvocationsRequest{InvokeId: resp.InvokeId})
		took := time.Since(begin)
		switch {
		case err != nil:
			return 0, err
		case len(list.Invocations.Invocation) != 1:
			return 0, errors.New("the invocation is not there")
		}
		switch inv := &list.Invocations.Invocation[0]; {
		case inv.InvocationStatus == "Success":
			return took, nil
		case inv.Ended():
			return 0, fmt.Errorf("the invocation ended as %s", inv.InvocationStatus)
		}
		if err := pause(ctx, poll); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("the invocation does not end")
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// hire starts n real agents, with settings as variables, and returns them when all are connected.
func (p *place) hire(ctx context.Context, n int, settings ...string) ([]*process, error) {
	code, err := p.client.CreateActivation(ctx, client.CreateActivationRequest{InstanceCount: n})
	if err != nil {
		return nil, err
	}
	args := []string{"register", "--server", p.where.Endpoint, "--activation-id", code.ActivationId, "--activation-code", code.ActivationCode}
	if p.where.CAFile != "" {
		fingerprint, err := fingerprint(p.where.CAFile)
		if err != nil {
			return nil, err
		}
		args = append(args, "--ca-fingerprint", fingerprint)
	}
	agent := filepath.Join(p.b.bin, "orderly-agent")
	var agents []*process
	for i := range n {
		env := []string{"ORDERLY_AGENT_DATA=" + filepath.Join(p.dir, fmt.Sprintf("agent-%d", i))}
		if _, err := (command{path: agent, args: args, env: env}).output(ctx); err != nil {
			return agents, err
		}
		a, err := start(ctx, command{path: agent, args: []string{"run"}, env: append(env, settings...), quiet: true})
		if err != nil {
			return agents, err
		}
		agents = append(agents, a)
	}
	return agents, eventually(ctx, time.Minute, func() (bool, error) {
		list, err := p.client.DescribeManagedInstances(ctx, client.DescribeManagedInstancesRequest{Connected: "true"})
		return len(list) == n, err
	})
}

// dismiss ends agents.
func dismiss(agents []*process) {
	for _, a := range agents {
		a.stop()
	}
}

// checkOutputs reads what orderly run --json printed for n machines that ran echo hello.
func checkOutputs(text string, n int) error {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != n {
		return fmt.Errorf("%d results, want %d", len(lines), n)
	}
	for _, line := range lines {
		var r struct{ Instance, Output, Status string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		if r.Output != "hello\n" || r.Status != "Success" {
			return fmt.Errorf("%s: %s with output %q", r.Instance, r.Status, r.Output)
		}
	}
	return nil
}
