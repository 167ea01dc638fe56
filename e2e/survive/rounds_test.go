package survive_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// TestRounds plays rounds of random work and random mishaps, each from a seed, on both databases.
// ORDERLY_ROUNDS is how many (20, in short 3), ORDERLY_SEED the seed of the first (1); alone it repeats one round.
func TestRounds(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t) {
		for _, db := range stage.Databases {
			t.Run(fmt.Sprintf("%s/seed=%d", db, seed), func(t *testing.T) {
				t.Parallel()
				t.Logf("repeat with ORDERLY_SEED=%d", seed)
				newRound(t, db, seed).play()
			})
		}
	}
}

// seeds are those of the rounds to play, one after the other.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	first, repeat := setting(t, "ORDERLY_SEED", 1)
	rounds := 20
	switch {
	case repeat:
		rounds = 1
	case testing.Short():
		rounds = 3
	}
	if n, ok := setting(t, "ORDERLY_ROUNDS", 0); ok {
		rounds = int(n)
	}
	list := make([]uint64, rounds)
	for i := range list {
		list[i] = first + uint64(i)
	}
	return list
}

// setting is a number from the environment, if it is there.
func setting(t *testing.T, name string, otherwise uint64) (n uint64, ok bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n, true
}

// A round is random work and random mishaps at random moments. What is random is drawn before it
// begins, so that a seed gives the same plan each time; what meets what is up to the machine.
type round struct {
	*world
	random   *rand.Rand
	machines []*machine
	plan     []step
}

// A step is something that happens in a round, at the earliest at a time.
type step struct {
	at   time.Duration
	what string
	do   func()
}

// span is for how long things happen in a round; longest is the longest of pauses.
const (
	span    = 3 * time.Second
	outage  = 30 * time.Second / scale
	restart = 300 * time.Millisecond
)

func newRound(t *testing.T, db stage.Database, seed uint64) *round {
	t.Helper()
	r := &round{world: newWorld(t, db, scale), random: rand.New(rand.NewPCG(seed, 0))}
	r.machines = r.world.machines(3 + r.random.IntN(4))
	for range 5 + r.random.IntN(6) {
		r.planWork()
	}
	for range 3 + r.random.IntN(4) {
		r.planMishap()
	}
	return r
}

func (r *round) add(what string, do func()) {
	r.plan = append(r.plan, step{r.some(span), what, do})
}

// some is a random part of a time.
func (r *round) some(d time.Duration) time.Duration { return time.Duration(r.random.Int64N(int64(d))) }

func (r *round) one() *machine { return r.machines[r.random.IntN(len(r.machines))] }

// planWork plans an invocation, which may be stopped: at once, when it starts, or some time later.
func (r *round) planWork() {
	s := script{
		lasts: r.some(time.Second), lines: r.random.IntN(40), exit: r.random.IntN(4), tree: r.random.IntN(2) == 0, after: r.random.IntN(2) == 0,
	}
	switch r.random.IntN(8) {
	case 0:
		s.lasts = 0
	case 1:
		s.lines = 1500 + r.random.IntN(500)
	}
	var on []*machine
	for _, i := range r.random.Perm(len(r.machines))[:1+r.random.IntN(len(r.machines))] {
		on = append(on, r.machines[i])
	}
	stop, pause := r.random.IntN(8), r.some(time.Second)
	r.add("run", func() {
		ids := make([]string, len(on))
		for i, m := range on {
			ids[i] = m.id()
		}
		j, err := r.run(s, ids...)
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == "InvalidInstance.NotFound" {
			return // reinstalled meanwhile
		}
		if err != nil {
			r.t.Errorf("run: %v", err)
			return
		}
		switch stop {
		case 0:
			r.stop(j)
		case 1:
			r.on(r.ledger.next(func(e entry) bool { return e.invoke == j.invoke && e.what == "start" }))
			r.stop(j)
		case 2:
			r.wait(pause)
			r.stop(j)
		}
	})
}

// on waits for something, but not for long: in a round it may never come.
func (r *round) on(event <-chan entry) {
	select {
	case <-event:
	case <-time.After(span):
	case <-r.t.Context().Done():
	}
}

// play plays the plan, mends everything and judges.
func (r *round) play() {
	r.watch()
	begin := time.Now()
	var steps sync.WaitGroup
	for _, s := range r.plan {
		steps.Go(func() {
			r.wait(time.Until(begin.Add(s.at)))
			r.t.Logf("%v %s", s.at.Round(time.Millisecond), s.what)
			s.do()
		})
	}
	steps.Wait()
	played := time.Since(begin)
	r.mend()
	mended := time.Since(begin)
	r.settle(r.t)
	r.t.Logf("played in %v, mended after %v, settled after %v", played, mended, time.Since(begin))
}

// mend gets everything going again.
func (r *round) mend() {
	if !r.server.Running() {
		r.server.Start()
	}
	for _, m := range r.machines {
		m.net.heal()
		if !m.Running() {
			m.Launch()
		}
	}
	stage.Await(r.t, stage.Patience, "all agents are connected", func() error {
		n, err := r.db.CountLinks(r.t.Context())
		if err == nil && n != len(r.machines) {
			err = fmt.Errorf("%d links, want %d", n, len(r.machines))
		}
		return err
	})
	r.heal()
}
