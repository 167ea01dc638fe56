package engine

import (
	"sync"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// plans remembers the plans of the invocations that were asked for lately.
type plans struct {
	mu  sync.Mutex
	new map[int64]orderly.Plan
	old map[int64]orderly.Plan // dropped when new is full
}

const maxPlans = 4096

func (p *plans) get(seq int64) (orderly.Plan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, ok := p.new[seq]; ok {
		return v, true
	}
	v, ok := p.old[seq]
	return v, ok
}

func (p *plans) put(seq int64, plan orderly.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.new) >= maxPlans {
		p.new, p.old = nil, p.new
	}
	if p.new == nil {
		p.new = map[int64]orderly.Plan{}
	}
	p.new[seq] = plan
}

// of finds plans by the numbers of invocations.
func (p *plans) of(tx *store.Tx, seqs []int64) (map[int64]orderly.Plan, error) {
	found := map[int64]orderly.Plan{}
	missing := map[int64]bool{}
	var ask []int64
	for _, s := range seqs {
		if plan, ok := p.get(s); ok {
			found[s] = plan
		} else if !missing[s] {
			missing[s] = true
			ask = append(ask, s)
		}
	}
	loaded, err := tx.InvocationsBySeq(ask)
	if err != nil {
		return nil, err
	}
	for s, v := range loaded {
		found[s] = v.Plan()
		p.put(s, found[s])
	}
	return found, nil
}
