package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/pgtest"
)

// A storm is two servers on one database, with everything that can happen happening at once.
type storm struct {
	*house
	servers [2]*house
	ids     []string
	mu      sync.Mutex
	ended   map[orderly.TaskKey]orderly.State // terminal states that were seen
	runs    []string                          // invocations so far
}

func TestTwoServersAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cfg := hurried(500)
	cfg.Log = slog.New(slog.DiscardHandler)
	url := pgtest.DSN(t)
	s := &storm{ids: names(40), ended: map[orderly.TaskKey]orderly.State{}}
	for i := range s.servers {
		s.servers[i] = build(t, url, cfg)
	}
	s.house = s.servers[0]
	s.register(s.ids...)
	stops := []func(){s.servers[0].run(), s.servers[1].run()}
	var wg sync.WaitGroup
	until := time.Now().Add(4 * time.Second)
	for w := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			for time.Now().Before(until) {
				if err := s.act(s.servers[w%2], rnd); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, b := range []orderly.Boot{{Incarnation: "inc-1", ID: "boot-0"}, {Incarnation: "inc-1", ID: "boot-1"}} {
		s.disconnect(b, s.ids...) // what an agent has accepted ends only without it (AB-1)
	}
	for _, id := range s.runs {
		s.await("end of "+id, func() bool { return s.live(id) == 0 })
	}
	for _, stop := range stops {
		stop()
	}
	s.audit()
	s.watch(s.runs)
	if n := s.number(`select count(*) from refused_reports`); n != 0 {
		t.Errorf("%d reports were refused", n)
	}
	if n := s.number(`select count(*) from commands`); n != 0 {
		t.Errorf("%d commands that were not to be kept are left", n)
	}
	t.Logf("%d invocations, %d tasks", len(s.runs), len(s.ended))
}

// live counts the unfinished tasks of an invocation, by its counters.
func (s *storm) live(id string) int {
	return s.invocation(id).Counts.Live()
}

// act does one random thing through one server.
func (s *storm) act(h *house, rnd *rand.Rand) error {
	ctx := context.Background()
	id := s.ids[rnd.IntN(len(s.ids))]
	b := orderly.Boot{Incarnation: "inc-1", ID: fmt.Sprint("boot-", rnd.IntN(2))}
	switch rnd.IntN(10) {
	case 0:
		q := brief(s.some(rnd)...)
		a, err := h.RunCommand(ctx, caller, q, engine.Repetition{Operation: "RunCommand"})
		if err == nil {
			s.mu.Lock()
			s.runs = append(s.runs, a.InvokeID)
			s.mu.Unlock()
		}
		return err
	case 1:
		return h.Lost(ctx, map[string]string{id: "link-inc-1" + b.ID})
	case 2, 3:
		return s.greetAll(ctx, h, b, s.some(rnd))
	case 4:
		if run := s.pick(rnd); run != "" {
			return h.StopInvocation(ctx, caller, region, run, nil)
		}
	case 5:
		s.auditDues()
	default:
		if run := s.pick(rnd); run != "" {
			s.watch([]string{run})
			return h.Report(ctx, s.reports(h, run, rnd))
		}
	}
	return nil
}

// some are a few different instances.
func (s *storm) some(rnd *rand.Rand) []string {
	var list []string
	for _, i := range rnd.Perm(len(s.ids))[:1+rnd.IntN(20)] {
		list = append(list, s.ids[i])
	}
	return list
}

// pick is one of the latest invocations, "" when there is none.
func (s *storm) pick(rnd *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 {
		return ""
	}
	newest := s.runs[max(0, len(s.runs)-10):]
	return newest[rnd.IntN(len(newest))]
}

func (s *storm) greetAll(ctx context.Context, h *house, b orderly.Boot, ids []string) error {
	var list []engine.Greeting
	for _, id := range ids {
		g := hello(id, b)
		g.Usurps = "link-inc-1boot-0"
		list = append(list, g)
	}
	_, err := h.Greet(ctx, list)
	return err
}

// reports are what agents may say of some tasks of an invocation, in no order.
func (s *storm) reports(h *house, run string, rnd *rand.Rand) []orderly.Report {
	states := []orderly.State{orderly.Pending, orderly.Running, orderly.Running, orderly.Success, orderly.Failed, orderly.Terminated, orderly.Cancelled, orderly.Error}
	var list []orderly.Report
	for _, k := range h.tasks(run) {
		if rnd.IntN(3) == 0 {
			list = append(list, report(k, int64(1+rnd.IntN(5)), states[rnd.IntN(len(states))]))
		}
	}
	rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// watch notes the terminal states of invocations' tasks: none ever changes.
func (s *storm) watch(runs []string) {
	for _, run := range runs {
		for _, k := range s.tasks(run) {
			if k.State.Live() {
				continue
			}
			s.mu.Lock()
			if was, seen := s.ended[k.TaskKey]; seen && was != k.State {
				s.t.Errorf("task %v went from %s to %s", k.TaskKey, was, k.State)
			}
			s.ended[k.TaskKey] = k.State
			s.mu.Unlock()
		}
	}
}
