package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// To tell how many rows a long list has, and which one is the 90 000th, one must walk along its index.
// So marks keep, for lists that were asked for lately, where every so manieth row stands. They are right
// as long as the list is settled up to its newest mark: newer rows are counted each time, and lists
// shorter than a thousand rows have no marks at all.
//
// A list whose rows come and go by their statuses is marked anew after a second, or twenty times the
// time that it took; any other after a minute, for invocations that were removed meanwhile. Run does
// so ahead of time for lists that somebody is reading, so that nobody waits for it, in small pieces with
// rests between them: whoever reads meanwhile has the processors, and longer pieces cost him three times the p99.

const (
	stretch   = 1000                   // rows of a short list
	slow      = 200 * time.Microsecond // for the walk along a stretch
	rests     = 3                      // times as long as a piece took, after it
	settling  = 10 * time.Second       // how old an invocation is when none older can still appear, but those being made
	shortLife = time.Second            // of marks on lists whose rows come and go
	longLife  = time.Minute            // of marks on others
	maxMarked = 100                    // lists with marks
)

// A gait is how a list is walked along.
type gait struct {
	piece  int // rows at once
	stride int // rows from one mark to the next
}

// The gaits, for lists whose walk is fast and slow.
var (
	striding = gait{piece: stretch, stride: stretch}
	stepping = gait{piece: 200, stride: 50}
)

// marks are what is known of long lists, by their keys.
type marks struct {
	patience time.Duration // slow, but in tests
	mu       sync.Mutex
	lists    map[string]*marked
}

// A marked list is one with what was known of it at a time.
type marked struct {
	list    list
	walking sync.Mutex // held by who marks it
	mu      sync.Mutex
	known   known
	read    bool // since Run looked
}

// known is what was found out about a list.
type known struct {
	top    int64   // invocations up to this number are marked
	rungs  []Place // every stride-th row of theirs
	stride int
	count  int           // how many rows they have, at most maxCount
	at     time.Time     // zero for never
	took   time.Duration // to find out, without rests
}

// find returns what is known of a list; nil when it has no marks.
func (m *marks) find(key string) *marked {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists[key]
}

// put makes a list one with marks, in place of another when there are many.
func (m *marks) put(key string, l list) *marked {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lists == nil {
		m.lists = map[string]*marked{}
	}
	if m.lists[key] == nil {
		for other := range m.lists {
			if len(m.lists) < maxMarked {
				break
			}
			delete(m.lists, other)
		}
		m.lists[key] = &marked{list: l}
	}
	return m.lists[key]
}

// all lists what has marks, by their keys.
func (m *marks) all() map[string]*marked {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]*marked, len(m.lists))
	for key, l := range m.lists {
		all[key] = l
	}
	return all
}

func (m *marks) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.lists, key)
}

// life is how long what is known may be used.
func (m *marked) life(k known) time.Duration {
	if m.list.settled {
		return longLife
	}
	return max(shortLife, 20*k.took)
}

// look returns what is known, and whether it is too old: older than most of its life for who looks ahead of time.
func (m *marked) look(ahead bool) (k known, old bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	life := m.life(m.known)
	if ahead {
		life -= life / 4
	}
	return m.known, m.known.at.IsZero() || time.Since(m.known.at) > life
}

// used reports whether the list was read since this was asked last, and notes that it is or not.
func (m *marked) used(now bool) (before bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, m.read = m.read, now
	return before
}

// A survey is what is known of a list for one page of it.
type survey struct {
	known
	total int // at most maxCount
	fresh int // rows above top
}

// survey counts the rows of a list and finds its marks.
func (db *DB) survey(ctx context.Context, l list) (s survey, err error) {
	key := l.key()
	m := db.marks.find(key)
	if m == nil {
		s.total, err = db.tally(ctx, l, span{limit: stretch})
		if err != nil || s.total < stretch {
			return s, err
		}
		m = db.marks.put(key, l)
	}
	m.used(true)
	if s.known, err = db.know(ctx, m, false); err != nil {
		return s, err
	}
	if s.fresh, err = db.tally(ctx, l, span{above: s.top, limit: maxCount}); err != nil {
		return s, err
	}
	s.total = min(s.count+s.fresh, maxCount)
	return s, nil
}

// know returns what is known of a list, finding out anew what is too old. Only one caller does so at a time.
// Who asks ahead of time takes his time.
func (db *DB) know(ctx context.Context, m *marked, ahead bool) (known, error) {
	k, old := m.look(ahead)
	if !old {
		return k, nil
	}
	if !m.walking.TryLock() {
		if !k.at.IsZero() && time.Since(k.at) < 2*m.life(k) {
			return k, nil // somebody will know better in a moment
		}
		m.walking.Lock()
	}
	defer m.walking.Unlock()
	if k, old = m.look(ahead); !old { // somebody else did
		return k, nil
	}
	rest := 0
	if ahead {
		rest = rests
	}
	k, err := db.mark(ctx, m.list, rest)
	if err != nil {
		return k, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = k
	return k, nil
}

// remark keeps marks on lists that are being read from growing old, and drops those on others. Some lists are
// walked at a time, as each walk mostly rests.
func (db *DB) remark(ctx context.Context) {
	var walks errgroup.Group
	walks.SetLimit(1 + rests)
	for key, m := range db.marks.all() {
		if m.used(false) {
			walks.Go(func() error {
				_, err := db.know(ctx, m, true) // readers will see why it failed
				return err
			})
		} else if k, _ := m.look(true); !k.at.IsZero() && time.Since(k.at) > 2*longLife {
			db.marks.drop(key)
		}
	}
	_ = walks.Wait()
}

// mark walks along a list and finds its marks, resting after each piece so many times as long as it took.
func (db *DB) mark(ctx context.Context, l list, rest int) (k known, err error) {
	top, err := db.settledUpTo(ctx)
	if err != nil {
		return k, err
	}
	k = known{top: top}
	at, more, g := beginning(top), true, striding
	for more && k.count < maxCount {
		before := time.Now()
		rungs, err := db.rungs(ctx, l, at, g)
		if err != nil {
			return k, err
		}
		took := time.Since(before)
		k.took += took
		if k.count == 0 && g == striding && took > db.marks.patience {
			g = stepping
			continue
		}
		if len(rungs) > 0 {
			at = rungs[len(rungs)-1]
		}
		k.rungs, k.count = append(k.rungs, rungs...), k.count+len(rungs)*g.stride
		more = len(rungs) == g.piece/g.stride
		if err := pause(ctx, time.Duration(rest)*took); err != nil {
			return k, err
		}
	}
	if !more {
		tail, err := db.tally(ctx, l, span{after: at, limit: g.piece})
		if err != nil {
			return k, err
		}
		k.count += tail
	}
	k.stride, k.at = g.stride, time.Now()
	return k, nil
}

// pause waits, not at all for no time.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// rungs finds every stride-th row of the piece after a place; there are fewer where the list ends.
func (db *DB) rungs(ctx context.Context, l list, after Place, g gait) ([]Place, error) {
	s := span{after: after, limit: g.piece}
	if g.stride == g.piece {
		s.skip, s.limit = g.piece-1, 1
	}
	q, args := l.walk(&db.dialect, s)
	if g.stride != g.piece {
		q = fmt.Sprintf("select seq, ordinal from (select seq, ordinal, row_number() over (order by seq desc, ordinal) as n from (%s) w) r where n %% %d = 0 order by 1 desc, 2", q, g.stride)
	}
	rows, err := db.lists.QueryContext(ctx, q, args...)
	return collect(rows, err, func(r *sql.Rows) (p Place, err error) { return p, r.Scan(&p.Seq, &p.Ordinal) })
}

// beginning is the place before the rows of invocations up to a number.
func beginning(top int64) Place { return Place{Seq: top + 1, Ordinal: whole} }

// settledUpTo is a number of which it is known that no invocation up to it is going to appear.
func (db *DB) settledUpTo(ctx context.Context) (int64, error) {
	top := db.Now().Add(-settling).UnixMilli() << 20
	var made int64 // before the oldest that is being made
	err := db.lists.QueryRowContext(ctx, `select coalesce(min(seq) - 1, $1) from invocations where building = 1`, top).Scan(&made)
	return min(top, made), err
}

// page is the span of a page.
func (s *survey) page(p Page) span {
	at := span{after: p.After, limit: p.Limit}
	if p.After != (Place{}) || p.Offset == 0 {
		return at
	}
	old := p.Offset - s.fresh
	if len(s.rungs) == 0 || old < 0 {
		at.skip = p.Offset
		return at
	}
	at.after, at.skip = beginning(s.top), old
	if n := min(old/s.stride, len(s.rungs)); n > 0 {
		at.after, at.skip = s.rungs[n-1], old-n*s.stride
	}
	return at
}
