package rpc

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxNonces is how many nonces of one key are remembered. Beyond it the oldest is forgotten: then
// a read could be replayed by somebody who has its bytes, a change never (Keys.SpendNonce).
const maxNonces = 1 << 17

// nonces remembers the nonces that this process saw, each for as long as the timestamp it came
// with is accepted. Only callers with a valid signature add to it.
type nonces struct {
	mu    sync.Mutex
	keys  map[string]*keyNonces
	swept time.Time
}

type keyNonces struct {
	seen  map[digest]struct{}
	order []spent // by arrival, oldest first
}

type digest [16]byte

type spent struct {
	digest digest
	until  time.Time
}

// spend reports whether the nonce of this key is seen for the first time.
func (n *nonces) spend(keyID, nonce string, until time.Time) bool {
	sum := sha256.Sum256([]byte(nonce))
	d := digest(sum[:16])
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep(time.Now())
	k := n.keys[keyID]
	if k == nil {
		k = &keyNonces{seen: map[digest]struct{}{}}
		n.keys[keyID] = k
	}
	if _, twice := k.seen[d]; twice {
		return false
	}
	if len(k.order) == maxNonces {
		k.forgetOldest()
	}
	k.seen[d] = struct{}{}
	k.order = append(k.order, spent{d, until})
	return true
}

// sweep drops, once a minute, what no longer matters. One that still matters keeps the later ones
// of its key in memory, for less than twice the window.
func (n *nonces) sweep(now time.Time) {
	if now.Sub(n.swept) < time.Minute {
		return
	}
	n.swept = now
	for id, k := range n.keys {
		for len(k.order) > 0 && k.order[0].until.Before(now) {
			k.forgetOldest()
		}
		if len(k.order) == 0 {
			delete(n.keys, id)
		}
	}
}

func (k *keyNonces) forgetOldest() {
	delete(k.seen, k.order[0].digest)
	k.order = k.order[1:]
}
