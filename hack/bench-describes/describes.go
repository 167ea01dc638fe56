package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/store"
)

// pageSize is how many rows a page has; the handlers read one more.
const pageSize = 50

// deepest is how many rows pages by number reach (rule PG-9).
const deepest = 100_000

// rounds is how often all queries take their turns. The middle of the rounds counts, for others may be at work
// on a machine for seconds, but not in two rounds at the same query.
const rounds = 3

// warmup is how many pages are read before any counts.
const warmup = 5

// ways are how a page is asked for.
var ways = []string{"token", "number"}

// A subject is one query in one database.
type subject struct {
	*place
	query query
	rows  int           // of a page
	total int           // as the query counts them
	known []store.Place // places to go on from by token
	first time.Duration // of the first page of this list since the database was opened
	times map[string][]time.Duration
}

// describes measures all queries on one kind of database.
func (b *bench) describes(ctx context.Context, backend string) error {
	small, large, err := b.pair(ctx, backend)
	if err != nil {
		return err
	}
	defer small.close()
	defer large.close()
	if !b.Warm {
		b.chiller = newChiller()
		defer func() { b.chiller = nil }()
	}
	if b.wants("api") {
		if err := b.throughAPI(ctx, backend, small, large); err != nil {
			return fmt.Errorf("API: %w", err)
		}
	}
	if !b.wants("lists") {
		return nil
	}
	newest, err := partlyFailed(ctx, small, large)
	if err != nil {
		return err
	}
	inLarge := queries(newest[1])
	var contests []*contest
	for i, q := range queries(newest[0]) {
		if strings.Contains(q.String(), b.match) {
			contests = append(contests, &contest{small: &subject{place: small, query: q}, large: &subject{place: large, query: inLarge[i]}})
		}
	}
	for round := range rounds {
		for _, c := range contests {
			if err := b.race(ctx, c, round); err != nil {
				return fmt.Errorf("%s: %w", c.small.query, err)
			}
		}
	}
	for _, c := range contests {
		b.judge(backend, c)
	}
	b.printFigures(backend)
	return nil
}

// A contest is one query in a small and in a large database.
type contest struct {
	small, large *subject
	plan         string // in the large one
}

// pair is a small and a large database.
func (b *bench) pair(ctx context.Context, backend string) (small, large *place, err error) {
	if len(b.filled) == 2 {
		small, large = &place{url: b.filled[0], remove: func() {}}, &place{url: b.filled[1], remove: func() {}}
		return small, large, errors.Join(small.open(ctx), large.open(ctx))
	}
	if small, err = b.fill(ctx, backend, "small", "-invocations", strconv.Itoa(b.Small)); err != nil {
		return nil, nil, err
	}
	if large, err = b.fill(ctx, backend, "large", "-invocations", strconv.Itoa(b.Large)); err != nil {
		small.close()
		return nil, nil, err
	}
	return small, large, nil
}

// partlyFailed is the ID of the newest invocation of each that failed in part.
func partlyFailed(ctx context.Context, places ...*place) (ids []string, err error) {
	for _, p := range places {
		list, _, err := p.engine.Invocations(ctx, caller, store.InvocationFilter{Region: region, Status: "PartialFailed"}, store.Page{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, errors.New("no invocation failed in part: is the database one of hack/load?")
		}
		ids = append(ids, list[0].ID)
	}
	return ids, nil
}

// race reads pages of both databases in turns.
func (b *bench) race(ctx context.Context, c *contest, round int) error {
	if round == 0 {
		if err := c.prepare(ctx); err != nil {
			return err
		}
	}
	rnd := rand.New(rand.NewPCG(1, uint64(round)))
	for i := range b.Runs + warmup {
		for _, way := range ways {
			for _, s := range []*subject{c.small, c.large} {
				b.chiller.chill()
				took, err := s.read(ctx, s.pick(way, rnd))
				if err != nil {
					return err
				}
				if i >= warmup {
					s.times[way] = append(s.times[way], took)
				}
			}
		}
	}
	var err error
	c.plan, err = c.large.query.explain(ctx, c.large.db, c.large.pick("token", rnd))
	return err
}

// prepare finds the places to read from, for pages that are as long in both databases.
func (c *contest) prepare(ctx context.Context) error {
	for _, s := range []*subject{c.small, c.large} {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	if c.small.total == 0 {
		return errors.New("the small database has no such rows")
	}
	c.small.rows = min(pageSize+1, c.small.total)
	c.large.rows = c.small.rows
	return nil
}

// judge adds the figures of a contest.
func (b *bench) judge(backend string, c *contest) {
	for _, way := range ways {
		b.add(figure{Database: backend, Operation: c.small.query.op, Filter: c.small.query.filter, Way: way, Rows: c.small.rows, SmallTotal: c.small.total,
			LargeTotal: c.large.total, First: millis(c.large.first), Plan: c.plan}, c.small.times[way], c.large.times[way])
	}
}

// prepare reads the first page and finds places all over the list, after each of which there is at
// least a page.
func (s *subject) prepare(ctx context.Context) (err error) {
	s.times = map[string][]time.Duration{}
	begin := time.Now()
	first, total, err := s.query.page(ctx, s.engine, store.Page{Limit: pageSize + 1}, true)
	s.first, s.total = time.Since(begin), total
	if err != nil || total <= pageSize+1 {
		return err
	}
	s.known = first[:1]
	var last store.Place
	for offset := 0; offset < total; offset += max(pageSize, total/200) {
		rows, _, err := s.query.page(ctx, s.engine, store.Page{Limit: pageSize + 1, Offset: offset}, false)
		if err != nil {
			return err
		}
		last = rows[len(rows)-1]
		s.known = append(s.known, rows[:max(0, min(len(rows), total-offset-pageSize-1))]...)
	}
	for total == deepest && len(s.known) < 100_000 { // and beyond what is counted
		rows, _, err := s.query.page(ctx, s.engine, store.Page{Limit: 2000, After: last}, false)
		if err != nil || len(rows) < 2000 {
			return err
		}
		last = rows[len(rows)-1]
		s.known = append(s.known, rows[:len(rows)-pageSize-1]...)
	}
	return nil
}

// pick is a page at a random depth that has as many rows as the others.
func (s *subject) pick(way string, rnd *rand.Rand) store.Page {
	last := max(0, min(s.total, deepest)-s.rows) // the deepest page that is full
	switch {
	case way == "number":
		return store.Page{Limit: s.rows, Offset: rnd.IntN(last/pageSize+1) * pageSize}
	case last == 0:
		return store.Page{Limit: s.rows}
	}
	return store.Page{Limit: s.rows, After: s.known[rnd.IntN(len(s.known))]}
}

// read takes the time of one page.
func (s *subject) read(ctx context.Context, p store.Page) (time.Duration, error) {
	begin := time.Now()
	rows, total, err := s.query.page(ctx, s.engine, p, true)
	took := time.Since(begin)
	if err == nil && total != s.total {
		err = fmt.Errorf("%d rows in all, and then %d", s.total, total)
	}
	if err == nil && len(rows) != s.rows {
		err = fmt.Errorf("a page %+v of %d has %d rows", p, s.rows, len(rows))
	}
	return took, err
}

// quantile is the value below which the share q lies.
func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
