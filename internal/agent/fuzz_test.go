package agent

import (
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// FuzzToAgent feeds an agent that starts nothing with whatever a bus may carry. It is inside of the
// package so that no bus and no process is needed.
func FuzzToAgent(f *testing.F) {
	ref := &wire.TaskRef{TaskKey: orderly.TaskKey{Invocation: 1}, Incarnation: "i", Boot: "b"}
	for _, m := range []wire.ToAgent{
		{Welcome: &wire.Welcome{Heartbeat: 1, Window: 1 << 62}},
		{Welcome: &wire.Welcome{Heartbeat: -1, Tasks: true}},
		{Welcome: &wire.Welcome{Addresses: wire.Addresses{Servers: []string{"https://[::1"}, Buses: []string{"tls://host:1", "nats://127.0.0.1"}}}},
		{Goodbye: wire.ByeDuplicate}, {Goodbye: wire.ByeDeregistered},
		{Run: &wire.Run{TaskKey: ref.TaskKey, Incarnation: "i", Boot: "b", Allowance: 1 << 62, Job: []byte(`{"type":"RunShellScript"}`)}},
		{Run: &wire.Run{Incarnation: "i", Boot: "b", Job: []byte(`null`)}},
		{Stop: ref}, {Expire: ref}, {Ack: 1}, {Probe: true},
	} {
		f.Add(wire.Encode(m))
	}
	for _, p := range []wire.Plan{
		{Mode: orderly.Period, Frequency: "rate(60s)", Age: 1 << 62, Ran: 1 << 30, Version: -1}, {Mode: orderly.Period, Frequency: "0 0 0 L * ?"},
		{Mode: orderly.EveryReboot, Age: 1 << 40}, {Mode: orderly.NextRebootOnly, Age: -1, Before: "b"}, {Mode: orderly.DryRun}, {Mode: "x"},
	} {
		f.Add(wire.Encode(wire.ToAgent{Run: &wire.Run{TaskKey: ref.TaskKey, Incarnation: "i", Boot: "b", Plan: &p, Job: []byte(`{"type":"RunShellScript"}`)}}))
	}
	f.Add([]byte(`{"run":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.Decode[wire.ToAgent](data)
		if err != nil {
			return
		}
		a := idle(t)
		defer func() {
			close(a.over)
			if err := a.journal.Close(); err != nil {
				t.Error(err)
			}
		}()
		for range 2 { // everything may come twice
			again := m
			if r := m.Run; r != nil && r.Incarnation == "i" {
				mine := *r
				mine.Incarnation = a.journal.Incarnation()
				again.Run = &mine
			}
			a.receive(&again, time.Now())
			a.receive(&wire.ToAgent{Ack: a.reports.number}, time.Now())
		}
		if len(a.active) > 0 {
			t.Errorf("%d tasks were started", len(a.active))
		}
	})
}

// idle is an agent that is welcome but never has room for a command.
func idle(t *testing.T) *Agent {
	j, err := OpenJournal(t.TempDir()+"/journal", "b")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{AtOnce: -1}.withDefaults()
	id := Identity{Server: "http://127.0.0.1:1", NATS: "nats://127.0.0.1:1"}
	d, err := newDialer(&id, "", Auto)
	if err != nil {
		t.Fatal(err)
	}
	c.Dir = t.TempDir()
	a := &Agent{
		identity: id, dialer: d, cfg: c, log: c.Log, boot: "b", journal: j, events: make(chan func()), over: make(chan struct{}),
		tasks: map[Occurrence]*task{}, active: map[Occurrence]*task{},
		reports: reports{queued: map[Occurrence]bool{}},
	}
	a.uplink = uplink{conn: &connection{}, welcome: true, admitted: true}
	return a
}
