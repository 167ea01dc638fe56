package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// To tell how many rows a long list has, and which one is the 90 000th, one must walk along its index.
// So marks keep, for lists that were asked for lately, where every so manieth row stands. They are right
// as long as the list is settled up to its newest mark: newer rows are counted each time, and lists
// shorter than a thousand rows have no marks at all.
//
// A list whose rows come and go by their statuses is marked anew after a second, or ten times the
// time that it took; any other after a minute, for invocations that were removed meanwhile. Run does
// so ahead of time for lists that somebody is reading, so that nobody waits for it.

const (
	stretch   = 1000                   // rows that are walked along at once, and from one mark to the next
	stride    = 50                     // the same where the walk is slow
	slow      = 200 * time.Microsecond // for a stretch
	settling  = 10 * time.Second       // how old an invocation is when none older can still appear, but those being made
	shortLife = time.Second            // of marks on lists whose rows come and go
	longLife  = time.Minute            // of marks on others
	maxMarked = 100                    // lists with marks
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
	took   time.Duration // to find out
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
	return max(shortLife, 10*k.took)
}

// look returns what is known, and whether it is older than a part of its life.
func (m *marked) look(part time.Duration) (k known, old bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known, m.known.at.IsZero() || time.Since(m.known.at) > m.life(m.known)/part
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
	if s.known, err = db.know(ctx, m, 1); err != nil {
		return s, err
	}
	if s.fresh, err = db.tally(ctx, l, span{above: s.top, limit: maxCount}); err != nil {
		return s, err
	}
	s.total = min(s.count+s.fresh, maxCount)
	return s, nil
}

// know returns what is known of a list, finding out anew what is older than a part of its life. Only one
// caller does so at a time.
func (db *DB) know(ctx context.Context, m *marked, part time.Duration) (known, error) {
	k, old := m.look(part)
	if !old {
		return k, nil
	}
	m.walking.Lock()
	defer m.walking.Unlock()
	if k, old = m.look(part); !old { // somebody else did
		return k, nil
	}
	k, err := db.mark(ctx, m.list)
	if err != nil {
		return k, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = k
	return k, nil
}

// remark keeps marks on lists that are being read from growing old, and drops those on others.
func (db *DB) remark(ctx context.Context) {
	for key, m := range db.marks.all() {
		if m.used(false) {
			if _, err := db.know(ctx, m, 2); err != nil {
				return // readers will see it
			}
		} else if k, _ := m.look(1); !k.at.IsZero() && time.Since(k.at) > 2*longLife {
			db.marks.drop(key)
		}
	}
}

// mark walks along a list and finds its marks.
func (db *DB) mark(ctx context.Context, l list) (k known, err error) {
	begin := time.Now()
	top, err := db.settledUpTo(ctx)
	if err != nil {
		return k, err
	}
	k = known{top: top, stride: stretch}
	at, more := beginning(top), true
	for more && k.count < maxCount {
		before := time.Now()
		rungs, err := db.rungs(ctx, l, at, k.stride)
		if err != nil {
			return k, err
		}
		if k.count == 0 && k.stride == stretch && time.Since(before) > db.marks.patience {
			k.stride = stride
			continue
		}
		if len(rungs) > 0 {
			at = rungs[len(rungs)-1]
		}
		k.rungs, k.count = append(k.rungs, rungs...), k.count+len(rungs)*k.stride
		more = len(rungs) == stretch/k.stride
	}
	if !more {
		rest, err := db.tally(ctx, l, span{after: at, limit: stretch})
		if err != nil {
			return k, err
		}
		k.count += rest
	}
	k.at, k.took = time.Now(), time.Since(begin)
	return k, nil
}

// rungs finds every stride-th row of the stretch after a place; there are fewer where the list ends.
func (db *DB) rungs(ctx context.Context, l list, after Place, stride int) ([]Place, error) {
	s := span{after: after, limit: stretch}
	if stride == stretch {
		s.skip, s.limit = stretch-1, 1
	}
	q, args := l.walk(&db.dialect, s)
	if stride != stretch {
		q = fmt.Sprintf("select seq, ordinal from (select seq, ordinal, row_number() over (order by seq desc, ordinal) as n from (%s) w) r where n %% %d = 0 order by 1 desc, 2", q, stride)
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
