package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Targets; below 0 for at least.
const (
	tasksPerSecond = -5000
	kbPlain        = 60
	kbTLS          = 75
	realSeconds    = 0.6
	idleMillis     = 20
	longPercent    = 1
)

// idleRuns is how often the way to one idle agent is measured.
const idleRuns = 20

// simulated measures memory and tasks with simulated agents.
func (b *bench) simulated(ctx context.Context, mode string) error {
	p, err := b.open(ctx, mode)
	if err != nil {
		return err
	}
	defer p.server.stop()
	empty, err := memory(ctx, p.server, 2*time.Second)
	if err != nil {
		return err
	}
	begin := time.Now()
	fleet, err := b.startFleet(ctx, p, mode)
	if err != nil {
		return err
	}
	defer fleet.stop()
	took := time.Since(begin)
	e, err := b.startEcho(ctx, b.Agents, mode)
	if err != nil {
		return err
	}
	defer e.stop()
	var ours, bare float64
	if b.wants("memory") { // before the first question, for whoever was asked takes more
		if ours, bare, err = b.idleMemory(ctx, p, e); err != nil {
			return err
		}
	}
	echo, err := e.rate(ctx, b.Runs)
	if err != nil {
		return err
	}
	b.add(figure{Name: "register and connect all" + e.suffix(), Unit: "s", Raw: e.connected.Seconds(), Echo: echo}, 0, took.Seconds())
	if b.wants("memory") {
		limit := map[bool]float64{false: kbPlain, true: kbTLS}[e.tls]
		each := func(bytes float64) float64 { return bytes / 1000 / float64(b.Agents) }
		b.add(figure{Name: "server memory for each idle agent" + e.suffix(), Unit: "KB", Raw: each(bare - e.empty), Echo: echo}, limit, each(ours-empty))
	}
	if b.wants("tasks") {
		return b.tasks(ctx, p, fleet, e)
	}
	return nil
}

// idleMemory is what the server and the bare bus have resident, after a while without work.
func (b *bench) idleMemory(ctx context.Context, p *place, e *echo) (ours, bare float64, err error) {
	if ours, err = memory(ctx, p.server, b.Settle); err != nil {
		return 0, 0, err
	}
	bare, err = memory(ctx, e.server, 0)
	return ours, bare, err
}

// memory is what a process has resident, after a while.
func memory(ctx context.Context, p *process, after time.Duration) (float64, error) {
	if err := pause(ctx, after); err != nil {
		return 0, err
	}
	return resident(p.pid())
}

// startFleet starts the simulated agents and waits until they are connected.
func (b *bench) startFleet(ctx context.Context, p *place, mode string) (*process, error) {
	c := command{path: filepath.Join(b.bin, "orderly"), args: []string{"sim", "--agents", strconv.Itoa(b.Agents)}, env: p.env()}
	if b.profile != "" {
		c.args = append(c.args, "--cpu-profile", filepath.Join(b.profile, "sim-tls-"+mode+".prof"))
	}
	fleet, err := start(ctx, c)
	if err != nil {
		return nil, err
	}
	if _, err := fleet.line(10 * time.Minute); err != nil {
		fleet.stop()
		return nil, err
	}
	return fleet, nil
}

// A sample is one echo of the bus alone and one command on all simulated agents.
type sample struct{ echo, task flow }

// A flow is how many went through in a second, and what both ends computed for each, in µs.
type flow struct{ rate, server, clients float64 }

// tasks measures how many tasks go through the whole in a second, and what both ends compute for
// each; before every command comes the echo of the bus alone.
func (b *bench) tasks(ctx context.Context, p *place, fleet *process, e *echo) error {
	if b.profile != "" {
		if err := p.server.say("profile"); err != nil {
			return err
		}
	}
	var samples []sample
	for range b.Runs {
		s, err := b.sample(ctx, p, fleet, e)
		if err != nil {
			return err
		}
		samples = append(samples, s)
	}
	for _, f := range []struct {
		name, unit string
		limit      float64
		of         func(flow) float64
	}{
		{"tasks through the whole", "tasks/s", tasksPerSecond, func(f flow) float64 { return f.rate }},
		{"server computes for each task", "µs", 0, func(f flow) float64 { return f.server }},
		{"simulator computes for each task", "µs", 0, func(f flow) float64 { return f.clients }},
	} {
		var raw, tasks, rates []float64
		for _, s := range samples {
			raw, tasks, rates = append(raw, f.of(s.echo)), append(tasks, f.of(s.task)), append(rates, s.echo.rate)
		}
		b.add(figure{Name: f.name + e.suffix(), Unit: f.unit, Raw: median(raw), Echo: median(rates)}, f.limit, tasks...)
	}
	if e.tls {
		return nil
	}
	long, err := p.longTransactions(ctx)
	if err != nil {
		return err
	}
	b.add(figure{Name: "transactions that took over 20 ms", Unit: "%", Echo: samples[0].echo.rate}, longPercent, long)
	return nil
}

func (b *bench) sample(ctx context.Context, p *place, fleet *process, e *echo) (s sample, err error) {
	if err := pause(ctx, time.Second); err != nil {
		return s, err
	}
	if s.echo, err = flowOf(b.Agents, e.server, e.clients, e.ask); err != nil {
		return s, err
	}
	s.task, err = flowOf(b.Agents, p.server, fleet, func() (time.Duration, error) { return p.invoke(ctx, "true", 10*time.Millisecond) })
	return s, err
}

// flowOf has n go through server and clients.
func flowOf(n int, server, clients *process, pass func() (time.Duration, error)) (l flow, err error) {
	before, err := cpuTimes(server, clients)
	if err != nil {
		return l, err
	}
	took, err := pass()
	if err != nil {
		return l, err
	}
	after, err := cpuTimes(server, clients)
	if err != nil {
		return l, err
	}
	each := func(i int) float64 { return (after[i] - before[i]).Seconds() * 1e6 / float64(n) }
	return flow{rate: float64(n) / took.Seconds(), server: each(0), clients: each(1)}, nil
}

func cpuTimes(list ...*process) ([]time.Duration, error) {
	times := make([]time.Duration, len(list))
	for i, p := range list {
		var err error
		if times[i], err = cpuTime(p.pid()); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// realAgents measures a command on many real agents, as the user of the command line sees it. Raw is
// the echo over as many connections.
func (b *bench) realAgents(ctx context.Context) error {
	p, err := b.open(ctx, "on")
	if err != nil {
		return err
	}
	defer p.server.stop()
	agents, err := p.hire(ctx, b.Real)
	defer dismiss(agents)
	if err != nil {
		return err
	}
	e, err := b.startEcho(ctx, b.Real, "on")
	if err != nil {
		return err
	}
	defer e.stop()
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	var raw, seconds []float64
	for range b.Runs {
		asked, err := e.ask()
		if err != nil {
			return err
		}
		begin := time.Now()
		text, err := command{path: filepath.Join(b.bin, "orderly"), args: []string{"run", "--all", "--json", "--", "echo hello"}, env: p.env()}.output(ctx)
		took := time.Since(begin)
		if err := errors.Join(err, checkOutputs(text, b.Real)); err != nil {
			return err
		}
		raw, seconds = append(raw, asked.Seconds()), append(seconds, took.Seconds())
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	f := figure{Name: fmt.Sprintf("echo hello on %d real agents, TLS", b.Real), Unit: "s", Raw: median(raw), Echo: float64(b.Real) / median(raw)}
	b.add(f, realSeconds, seconds...)
	return nil
}

func (b *bench) idle(ctx context.Context, p *place, e *echo) error {
	var raw, millis []float64
	for range idleRuns {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		asked, err := e.ask()
		if err != nil {
			return err
		}
		took, err := p.invoke(ctx, "true", time.Millisecond)
		if err != nil {
			return err
		}
		raw, millis = append(raw, asked.Seconds()*1000), append(millis, took.Seconds()*1000)
	}
	b.add(figure{Name: "one idle real agent, sh -c true, TLS", Unit: "ms", Raw: median(raw), Echo: 1000 / median(raw)}, idleMillis, millis...)
	return nil
}

// fingerprint is that of a CA, as agents are given it.
func fingerprint(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("no certificate in %s", file)
	}
	sum := sha256.Sum256(block.Bytes)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
