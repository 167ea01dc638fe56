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
	tasksPerSecond  = -5000
	kbPlain         = 60
	kbTLS           = 75
	realSeconds     = 0.6
	idleMillis      = 20
	agentFileMB     = 15
	agentResidentMB = 12
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
	empty, err := p.memory(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	begin := time.Now()
	fleet, err := b.startFleet(ctx, p, mode)
	if err != nil {
		return err
	}
	defer fleet.stop()
	b.add(figure{Name: "register and connect all" + suffix(mode), Unit: "s"}, 0, time.Since(begin).Seconds())
	if b.wants("memory") {
		full, err := p.memory(ctx, b.Settle)
		if err != nil {
			return err
		}
		limit := map[string]float64{"off": kbPlain, "on": kbTLS}[mode]
		b.add(figure{Name: "server memory for each idle agent" + suffix(mode), Unit: "KB"}, limit, (full-empty)/1000/float64(b.Agents))
	}
	if b.wants("tasks") {
		return b.tasks(ctx, p, fleet, mode)
	}
	return nil
}

func suffix(mode string) string {
	if mode == "on" {
		return ", TLS"
	}
	return ""
}

// memory is what the server has resident, after a while.
func (p *place) memory(ctx context.Context, after time.Duration) (float64, error) {
	if err := pause(ctx, after); err != nil {
		return 0, err
	}
	return resident(p.server.pid())
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

// A sample is one command on all simulated agents.
type sample struct{ echo, rate, server, sim float64 }

// tasks measures how many tasks go through the whole in a second, and what both ends compute for
// each; before every command comes the echo of the bus alone.
func (b *bench) tasks(ctx context.Context, p *place, fleet *process, mode string) error {
	e, err := b.startEcho(ctx, mode)
	if err != nil {
		return fmt.Errorf("raw echo: %w", err)
	}
	defer e.stop()
	if b.profile != "" {
		if err := p.server.say("profile"); err != nil {
			return err
		}
	}
	var echoes, rates, server, sim []float64
	for range b.Runs {
		s, err := b.sample(ctx, p, fleet, e)
		if err != nil {
			return err
		}
		echoes, rates = append(echoes, s.echo), append(rates, s.rate)
		server, sim = append(server, s.server), append(sim, s.sim)
	}
	b.add(figure{Name: "raw echo of the bus" + suffix(mode), Unit: "echoes/s"}, 0, echoes...)
	b.add(figure{Name: "tasks through the whole" + suffix(mode), Unit: "tasks/s", Echo: median(echoes)}, tasksPerSecond, rates...)
	b.add(figure{Name: "server computes for each task" + suffix(mode), Unit: "µs"}, 0, server...)
	b.add(figure{Name: "simulator computes for each task" + suffix(mode), Unit: "µs"}, 0, sim...)
	return nil
}

func (b *bench) sample(ctx context.Context, p *place, fleet *process, e *echo) (s sample, err error) {
	if err := pause(ctx, time.Second); err != nil {
		return s, err
	}
	if s.echo, err = e.rate(); err != nil {
		return s, err
	}
	before, err := cpuTimes(p.server, fleet)
	if err != nil {
		return s, err
	}
	took, err := p.invoke(ctx, "true", 10*time.Millisecond)
	if err != nil {
		return s, err
	}
	after, err := cpuTimes(p.server, fleet)
	if err != nil {
		return s, err
	}
	n := float64(b.Agents)
	s.rate = n / took.Seconds()
	s.server, s.sim = (after[0]-before[0]).Seconds()*1e6/n, (after[1]-before[1]).Seconds()*1e6/n
	return s, nil
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

// realAgents measures a command on many real agents, as the user of the command line sees it.
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
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	var seconds []float64
	for range b.Runs {
		begin := time.Now()
		text, err := command{path: filepath.Join(b.bin, "orderly"), args: []string{"run", "--all", "--json", "--", "echo hello"}, env: p.env()}.output(ctx)
		took := time.Since(begin)
		if err := errors.Join(err, checkOutputs(text, b.Real)); err != nil {
			return err
		}
		seconds = append(seconds, took.Seconds())
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	b.add(figure{Name: fmt.Sprintf("echo hello on %d real agents, TLS", b.Real), Unit: "s"}, realSeconds, seconds...)
	return nil
}

// oneAgent measures the way to one idle agent and back, and the agent's size.
func (b *bench) oneAgent(ctx context.Context) error {
	p, err := b.open(ctx, "on")
	if err != nil {
		return err
	}
	defer p.server.stop()
	agents, err := p.hire(ctx, 1)
	defer dismiss(agents)
	if err != nil {
		return err
	}
	if b.wants("agent") {
		if err := b.agentSize(ctx, agents[0].pid()); err != nil {
			return err
		}
	}
	if !b.wants("idle") {
		return nil
	}
	var millis []float64
	for range idleRuns {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		took, err := p.invoke(ctx, "true", time.Millisecond)
		if err != nil {
			return err
		}
		millis = append(millis, took.Seconds()*1000)
	}
	b.add(figure{Name: "one idle real agent, sh -c true, TLS", Unit: "ms"}, idleMillis, millis...)
	return nil
}

func (b *bench) agentSize(ctx context.Context, pid int) error {
	info, err := os.Stat(filepath.Join(b.bin, "orderly-agent"))
	if err != nil {
		return err
	}
	b.add(figure{Name: "orderly-agent, file", Unit: "MB"}, agentFileMB, float64(info.Size())/1e6)
	if err := pause(ctx, min(b.Settle, 30*time.Second)); err != nil {
		return err
	}
	bytes, err := resident(pid)
	if err != nil {
		return err
	}
	b.add(figure{Name: "orderly-agent, resident when idle", Unit: "MB"}, agentResidentMB, bytes/1e6)
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
