package fleet

import (
	"context"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Run counts, every few minutes until ctx ends, how many machines there are and how many of them are
// online. Of several servers on a database one count is kept for each time.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Census)
	defer tick.Stop()
	for {
		if err := f.count(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Log.Warn("count the machines", "err", err) // the next time comes
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (f *Fleet) count(ctx context.Context) error {
	now := f.db.Now()
	counts, err := f.db.CountFleets(ctx, now.Add(-f.cfg.Fresh))
	if err != nil || len(counts) == 0 {
		return err
	}
	return f.db.Write(ctx, store.Mass, func(tx *store.Tx) error {
		return tx.AddCensus(now.Truncate(f.cfg.Census), counts, f.cfg.CensusKept)
	})
}

// Censuses lists how many of the caller's machines were online since a time, oldest first; the last count
// is of now.
func (f *Fleet) Censuses(ctx context.Context, c orderly.Caller, region string, since time.Duration) ([]store.Census, error) {
	o := store.Owner{Account: c.Account, Region: region}
	now := f.db.Now()
	list, err := f.db.Censuses(ctx, o, now.Add(-since))
	if err != nil {
		return nil, err
	}
	last, err := f.db.CountFleet(ctx, o, now.Add(-f.cfg.Fresh))
	return append(list, last), err
}

// TagsInUse lists the tags that most of the caller's machines carry.
func (f *Fleet) TagsInUse(ctx context.Context, c orderly.Caller, region string, limit int) ([]store.TagCount, error) {
	return f.db.TagsInUse(ctx, store.Owner{Account: c.Account, Region: region}, limit)
}
