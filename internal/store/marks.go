package store

import (
	"context"
	"sync"
	"time"
)

// To tell how many rows a long list has, and which one is the 90 000th, one must walk along its index.
// So marks keep, for lists that were asked for lately, where every thousandth row stands. They are
// right as long as the list is settled up to its newest mark: newer rows are counted each time, and
// lists shorter than a thousand rows have no marks at all.
//
// A list whose rows come and go by their statuses is marked anew after a second, or ten times the
// time that it took; any other after a minute, for invocations that were removed meanwhile.

const (
	stride    = 1000             // rows from one mark to the next
	settling  = 10 * time.Second // how old an invocation is when none older can still appear, but those being made
	shortLife = time.Second      // of marks on lists whose rows come and go
	longLife  = time.Minute      // of marks on others
	maxMarked = 256              // lists with marks
)

// marks are what is known of long lists, by their keys.
type marks struct {
	mu    sync.Mutex
	lists map[string]*marked
}

// A marked list is what was known of a list at a time. Only one caller at a time walks along it.
type marked struct {
	mu    sync.Mutex
	top   int64         // invocations up to this number are marked
	rungs []Place       // every stride-th row of theirs
	count int           // how many rows they have, at most maxCount
	at    time.Time     // when; zero for never
	took  time.Duration // to find out
}

// find returns what is known of a list; nil when it has no marks.
func (m *marks) find(key string) *marked {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists[key]
}

// put makes a list one with marks, in place of another when there are many.
func (m *marks) put(key string) *marked {
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
		m.lists[key] = &marked{}
	}
	return m.lists[key]
}

// A survey is what is known of a list for one page of it.
type survey struct {
	total int // at most maxCount
	fresh int // rows above top
	top   int64
	rungs []Place
}

// survey counts the rows of a list and finds its marks.
func (db *DB) survey(ctx context.Context, l list) (survey, error) {
	key := l.key()
	m := db.marks.find(key)
	if m == nil {
		n, err := db.tally(ctx, l, span{limit: stride})
		if err != nil || n < stride {
			return survey{total: n}, err
		}
		m = db.marks.put(key)
	}
	s, err := db.current(ctx, l, m)
	if err != nil {
		return s, err
	}
	if s.fresh, err = db.tally(ctx, l, span{above: s.top, limit: maxCount}); err != nil {
		return s, err
	}
	s.total = min(s.total+s.fresh, maxCount)
	return s, nil
}

// current brings what is known of a list up to date and returns it, without fresh rows.
func (db *DB) current(ctx context.Context, l list, m *marked) (survey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	life := longLife
	if !l.settled {
		life = max(shortLife, 10*m.took)
	}
	if m.at.IsZero() || time.Since(m.at) > life {
		if err := db.mark(ctx, l, m); err != nil {
			return survey{}, err
		}
	}
	return survey{total: m.count, top: m.top, rungs: m.rungs}, nil
}

// mark walks along a list and sets its marks.
func (db *DB) mark(ctx context.Context, l list, m *marked) error {
	begin := time.Now()
	top, err := db.settledUpTo(ctx)
	if err != nil {
		return err
	}
	var rungs []Place
	at := beginning(top)
	for len(rungs) < maxCount/stride {
		p, ok, err := db.at(ctx, l, span{after: at, skip: stride - 1, limit: 1})
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		rungs, at = append(rungs, p), p
	}
	rest := 0
	if len(rungs) < maxCount/stride {
		if rest, err = db.tally(ctx, l, span{after: at, limit: stride}); err != nil {
			return err
		}
	}
	m.top, m.rungs, m.count, m.at, m.took = top, rungs, len(rungs)*stride+rest, time.Now(), time.Since(begin)
	return nil
}

// beginning is the place before the rows of invocations up to a number.
func beginning(top int64) Place { return Place{Seq: top + 1, Ordinal: whole} }

// settledUpTo is a number of which it is known that no invocation up to it is going to appear.
func (db *DB) settledUpTo(ctx context.Context) (top int64, err error) {
	top = db.Now().Add(-settling).UnixMilli() << 20
	err = db.reads.QueryRowContext(ctx, `select coalesce(min(seq) - 1, $1) from invocations where building = 1`, top).Scan(&top)
	return min(top, db.Now().Add(-settling).UnixMilli()<<20), err
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
	if n := min(old/stride, len(s.rungs)); n > 0 {
		at.after, at.skip = s.rungs[n-1], old-n*stride
	}
	return at
}
