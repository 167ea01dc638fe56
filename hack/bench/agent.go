package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// Targets for the agent.
const (
	agentFileMB     = 12
	agentResidentMB = 10
	agentFloodMB    = 20
	agentIdleShare  = 0.02 // percent of a core
	agentStartMS    = 3
	agentReportMS   = 5
	agentFloodRate  = -200 // MB/s, at least
)

// floodBytes is the output of one command that is read and mostly thrown away.
const floodBytes = 2_000_000_000

// oneAgent measures the way to one idle agent and back, and the agent, beside the echo over one
// connection and the program at its other end.
func (b *bench) oneAgent(ctx context.Context) error {
	p, err := b.open(ctx, "on")
	if err != nil {
		return err
	}
	defer p.server.stop()
	log := filepath.Join(p.dir, "agent.log")
	agents, err := p.hire(ctx, 1, "ORDERLY_AGENT_LOG_LEVEL=debug", "ORDERLY_AGENT_LOG_FILE="+log)
	defer dismiss(agents)
	if err != nil {
		return err
	}
	e, err := b.startEcho(ctx, 1, "on")
	if err != nil {
		return err
	}
	defer e.stop()
	if b.wants("agent") {
		if err := b.agentAlone(ctx, agents[0], e); err != nil {
			return err
		}
		if err := b.steps(ctx, p, log); err != nil {
			return err
		}
		if err := b.flood(ctx, p, agents[0], e); err != nil {
			return err
		}
	}
	if b.wants("idle") {
		return b.idle(ctx, p, e)
	}
	return nil
}

// agentAlone measures an agent that has nothing to do.
func (b *bench) agentAlone(ctx context.Context, agent *process, e *echo) error {
	ours, err := memory(ctx, agent, min(b.Settle, 30*time.Second))
	if err != nil {
		return err
	}
	bare, err := memory(ctx, e.clients, 0)
	if err != nil {
		return err
	}
	shares, err := idleShares(ctx, b.Idle, agent, e.clients)
	if err != nil {
		return err
	}
	echo, err := e.rate(ctx, idleRuns)
	if err != nil {
		return err
	}
	var files [2]float64
	for i, p := range []*process{agent, e.clients} {
		info, err := os.Stat(p.cmd.Path)
		if err != nil {
			return err
		}
		files[i] = float64(info.Size()) / 1e6
	}
	b.add(figure{Name: "orderly-agent, file", Unit: "MB", Raw: files[1], Echo: echo}, agentFileMB, files[0])
	b.add(figure{Name: "orderly-agent, resident when idle", Unit: "MB", Raw: bare / 1e6, Echo: echo}, agentResidentMB, ours/1e6)
	b.add(figure{Name: fmt.Sprintf("orderly-agent, of a core when idle for %v", b.Idle), Unit: "%", Raw: shares[1], Echo: echo}, agentIdleShare, shares[0])
	return nil
}

// idleShares is how much of a core processes compute while nothing is asked of them, in percent.
func idleShares(ctx context.Context, d time.Duration, list ...*process) ([]float64, error) {
	before, err := cpuTimes(list...)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := pause(ctx, d); err != nil {
		return nil, err
	}
	after, err := cpuTimes(list...)
	if err != nil {
		return nil, err
	}
	shares := make([]float64, len(list))
	for i := range list {
		shares[i] = 100 * (after[i] - before[i]).Seconds() / time.Since(begin).Seconds()
	}
	return shares, nil
}

// An agent that logs at level debug says how long after a message a process was started, and how long
// after its end the report of that was sent.
var (
	startedAfter = regexp.MustCompile(`msg=started .*after=(\S+)`)
	toldAfter    = regexp.MustCompile(`msg="told the end" .*after=(\S+)`)
)

// steps measures the agent's part of a short command, beside a bare client that starts the same and sends
// as much.
func (b *bench) steps(ctx context.Context, p *place, log string) error {
	e, err := b.startEcho(ctx, 1, "on", "-exec")
	if err != nil {
		return err
	}
	defer e.stop()
	offset, err := size(log)
	if err != nil {
		return err
	}
	var raw [2][]float64
	var asked []float64
	for range idleRuns {
		took, err := e.ask()
		if err != nil {
			return err
		}
		text, err := e.clients.line(10 * time.Second)
		if err != nil {
			return err
		}
		var start, told float64
		if _, err := fmt.Sscan(text, &start, &told); err != nil {
			return fmt.Errorf("read %q: %w", text, err)
		}
		raw[0], raw[1], asked = append(raw[0], start), append(raw[1], told), append(asked, took.Seconds())
		if _, err := p.invoke(ctx, "true", 5*time.Millisecond); err != nil {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	for i, f := range []struct {
		name  string
		limit float64
		in    *regexp.Regexp
	}{
		{"orderly-agent, message received to process started", agentStartMS, startedAfter},
		{"orderly-agent, process ended to result sent", agentReportMS, toldAfter},
	} {
		times := durations(string(text[offset:]), f.in)
		if len(times) != idleRuns {
			return fmt.Errorf("the agent's log tells of %d commands, want %d", len(times), idleRuns)
		}
		b.add(figure{Name: f.name, Unit: "ms", Raw: median(raw[i]), Echo: 1 / median(asked)}, f.limit, times...)
	}
	return nil
}

func size(file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// durations are those that lines of a log have, in ms.
func durations(log string, in *regexp.Regexp) (all []float64) {
	for _, m := range in.FindAllStringSubmatch(log, -1) {
		if d, err := time.ParseDuration(m[1]); err == nil {
			all = append(all, d.Seconds()*1000)
		}
	}
	return all
}

// flood measures a command that writes far more than is kept, beside a pipe to cat.
func (b *bench) flood(ctx context.Context, p *place, agent *process, e *echo) error {
	script := "head -c " + strconv.Itoa(floodBytes) + " /dev/zero"
	var raw, rates, residents []float64
	for range min(b.Runs, 3) {
		begin := time.Now()
		if _, err := (command{path: "sh", args: []string{"-c", script + " | cat > /dev/null"}}).output(ctx); err != nil {
			return err
		}
		raw = append(raw, floodBytes/1e6/time.Since(begin).Seconds())
		stop, most := watchMemory(ctx, agent)
		took, err := p.invoke(ctx, script, 5*time.Millisecond)
		stop()
		if err != nil {
			return err
		}
		rates, residents = append(rates, floodBytes/1e6/took.Seconds()), append(residents, <-most)
	}
	bare, err := memory(ctx, e.clients, 0)
	if err != nil {
		return err
	}
	echo, err := e.rate(ctx, idleRuns)
	if err != nil {
		return err
	}
	b.add(figure{Name: "orderly-agent, output read and thrown away", Unit: "MB/s", Raw: median(raw), Echo: echo}, agentFloodRate, rates...)
	b.add(figure{Name: "orderly-agent, resident under that", Unit: "MB", Raw: bare / 1e6, Echo: echo}, agentFloodMB, residents...)
	return nil
}

// watchMemory looks at a process's memory until stop is called; the most it had, in MB, then comes.
func watchMemory(ctx context.Context, p *process) (stop func(), most <-chan float64) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan float64, 1)
	go func() { // ends with stop
		var peak float64
		for ctx.Err() == nil {
			if n, err := resident(p.pid()); err == nil {
				peak = max(peak, n/1e6)
			}
			_ = pause(ctx, 20*time.Millisecond)
		}
		out <- peak
	}()
	return cancel, out
}
