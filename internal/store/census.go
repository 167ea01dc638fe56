package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/orderly-run/orderly"
)

// A Census is how many machines an owner had at a time, and how many of them were online.
type Census struct {
	At               time.Time
	Machines, Online int
}

// A CensusOf is a census with whose machines were counted.
type CensusOf struct {
	Owner
	Census
}

// CountFleets counts the machines of all owners now; online is who gave a sign of life since a time.
func (db *DB) CountFleets(ctx context.Context, since time.Time) ([]CensusOf, error) {
	rows, err := db.reads.QueryContext(ctx, `select i.account, i.region, count(*), sum(case when p.heartbeat >= $1 then 1 else 0 end)
		from instances i join presence p on p.instance = i.id where i.deregistered = 0 group by i.account, i.region order by i.account, i.region`, orderly.Millis(since))
	return collect(rows, err, func(r *sql.Rows) (c CensusOf, err error) {
		return c, r.Scan(&c.Account, &c.Region, &c.Machines, &c.Online)
	})
}

// AddCensus keeps counts as being of a time, unless another server has; what is older than keep goes.
func (t *Tx) AddCensus(at time.Time, counts []CensusOf, keep time.Duration) error {
	rows := make([][]any, len(counts))
	for i, c := range counts {
		rows[i] = []any{c.Account, c.Region, orderly.Millis(at), c.Machines, c.Online}
	}
	if err := t.each(`insert into census (account, region, at, machines, online) values ($1, $2, $3, $4, $5) on conflict do nothing`, rows); err != nil {
		return err
	}
	_, err := t.exec(`delete from census where at < $1`, orderly.Millis(at.Add(-keep)))
	return err
}

// Censuses lists those of an owner since a time, oldest first.
func (db *DB) Censuses(ctx context.Context, o Owner, since time.Time) ([]Census, error) {
	rows, err := db.reads.QueryContext(ctx, `select at, machines, online from census where account = $1 and region = $2 and at >= $3 order by at`,
		o.Account, o.Region, orderly.Millis(since))
	return collect(rows, err, func(r *sql.Rows) (c Census, err error) {
		var at int64
		err = r.Scan(&at, &c.Machines, &c.Online)
		c.At = orderly.FromMillis(at)
		return c, err
	})
}

// CountFleet counts the machines of one owner now.
func (db *DB) CountFleet(ctx context.Context, o Owner, since time.Time) (c Census, err error) {
	c.At = db.Now()
	return c, db.reads.QueryRowContext(ctx, `select count(*), coalesce(sum(case when p.heartbeat >= $3 then 1 else 0 end), 0)
		from instances i join presence p on p.instance = i.id where i.deregistered = 0 and i.account = $1 and i.region = $2`,
		o.Account, o.Region, orderly.Millis(since)).Scan(&c.Machines, &c.Online)
}

// A TagCount is a tag with how many machines carry it.
type TagCount struct {
	orderly.Tag
	Machines int
}

// TagsInUse lists the tags that most machines of an owner carry, at most limit.
func (db *DB) TagsInUse(ctx context.Context, o Owner, limit int) ([]TagCount, error) {
	rows, err := db.reads.QueryContext(ctx, `select name, value, count(*) from tags where account = $1 and region = $2 and kind = 'instance'
		group by name, value order by 3 desc, name, value limit $3`, o.Account, o.Region, limit)
	return collect(rows, err, func(r *sql.Rows) (c TagCount, err error) { return c, r.Scan(&c.Key, &c.Value, &c.Machines) })
}
