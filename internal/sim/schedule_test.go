package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/sim"
	"github.com/orderly-run/orderly/internal/wire"
)

// plan makes the n-th Run message that of a schedule.
func (p *peer) plan(n int, plan wire.Plan) wire.ToAgent {
	m := p.run(n)
	m.Run.Plan = &plan
	return m
}

// hears takes what is told, acknowledged, until n different snapshots have come, and tells them in
// short: run, state, code, version, and ! for the last.
func (p *peer) hears(n int) (all []string) {
	p.t.Helper()
	known := map[int64]bool{}
	for len(all) < n {
		r := hear[wire.Reports](p, wire.KindReport)
		p.say(wire.ToAgent{Ack: r.Number})
		for _, s := range r.Snapshots {
			if known[s.Number] && s.State != orderly.Pending {
				continue
			}
			known[s.Number] = true
			text := fmt.Sprintf("%d %s %s v%d", s.Run, s.State, s.Code, s.Version)
			if s.Last {
				text += " !"
			}
			all = append(all, strings.ReplaceAll(strings.Join(strings.Fields(text), " "), fmt.Sprint(wire.OverRun), "over"))
		}
	}
	return all
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	if got := p.hears(len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("told %q, want %q", got, want)
	}
}

func TestScheduleRunsOnAPretendMachine(t *testing.T) {
	p := meet(t, sim.Config{Output: 10})
	p.say(welcome())
	wait(t, p.fleet.Ready())
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(1s)", Age: 800, Ran: 4}))
	p.expect("0 Pending v0", "5 Success v0", "6 Success v0")
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(9h)", Version: 1}))
	p.expect("0 Pending v1")
	p.say(wire.ToAgent{Stop: p.ref(0)})
	p.expect("over Cancelled v1 !")
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(1s)"}))
	p.barrier()
	if n := p.fleet.Counts(); n.Runs != 2 || n.Stopped != 1 {
		t.Errorf("%+v, want 2 runs and 1 stopped", n)
	}
}

func TestStopKillsTheRunOfAPretendSchedule(t *testing.T) {
	p := meet(t, sim.Config{Delay: time.Hour})
	p.say(welcome())
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(1s)"}))
	p.expect("0 Pending v0")
	for p.fleet.Counts().Runs == 0 {
		p.barrier()
	}
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(9h)", Version: 1})) // waits for the run
	p.expect("0 Pending v0")
	p.say(wire.ToAgent{Stop: p.ref(0)})
	p.expect("1 Terminated v0 !")
}

func TestPretendSchedulesThatNeverRun(t *testing.T) {
	p := meet(t, sim.Config{})
	p.say(welcome())
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "rate(soon)"}))
	p.expect("over Invalid InvalidRateExpression v0 !")
	p.say(p.plan(1, wire.Plan{Mode: orderly.Period, Frequency: "at(1999-01-01 00:00:00)"}))
	p.expect("over Invalid AtExpressionExpired v0 !")
	p.say(p.plan(2, wire.Plan{Mode: orderly.EveryReboot, Age: 1 << 40}))
	p.expect("0 Pending v0")
	p.say(p.plan(3, wire.Plan{Mode: orderly.NextRebootOnly, Age: 1 << 40}))
	p.expect("0 Pending v0")
	p.say(p.plan(4, wire.Plan{Mode: orderly.DryRun}))
	p.expect("0 Success v0")
	p.say(wire.ToAgent{Stop: p.ref(2)})
	p.expect("over Cancelled v0 !")
	p.say(wire.ToAgent{Stop: p.ref(3)})
	p.expect("0 Cancelled v0")
	if n := p.fleet.Counts(); n.Runs != 0 {
		t.Errorf("%d runs", n.Runs)
	}
}

// SC-6: the end of the run after which there is no time is the schedule's.
func TestPretendScheduleEnds(t *testing.T) {
	p := meet(t, sim.Config{})
	p.say(welcome())
	at := time.Now().UTC().Add(2 * time.Second).Format(time.DateTime)
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "at(" + at + ")"}))
	p.expect("0 Pending v0", "1 Success v0 !")
	p.say(p.plan(0, wire.Plan{Mode: orderly.Period, Frequency: "at(" + at + ")"}))
	p.barrier()
	if n := p.fleet.Counts(); n.Repeated != 1 || n.Acked != 1 {
		t.Errorf("%+v, want that the schedule is known", n)
	}
}
