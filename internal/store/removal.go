package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
)

// beingRemoved is what the column building says of an invocation that Retire or DropUnbuilt has hidden; of one that
// is being made it says 1.
const beingRemoved = 2

// An Owner is an account in a region, as invocations are kept by it: each realm has its own.
type Owner struct{ Account, Region string }

// Realm is the realm whose invocations are the owner's.
func (o Owner) Realm() string {
	realm, _ := unshelved(o.Region)
	return realm
}

// Owners lists who has invocations.
func (db *DB) Owners(ctx context.Context) ([]Owner, error) {
	var list []Owner
	for last := (Owner{}); ; list = append(list, last) { // each step is one look into the index
		err := db.reads.QueryRowContext(ctx, `select account, region from invocations where building = 0 and (account, region) > ($1, $2)
			order by account, region limit 1`, last.Account, last.Region).Scan(&last.Account, &last.Region)
		if errors.Is(err, sql.ErrNoRows) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// A Retention is how long invocations that have ended are kept, and how many of one owner.
type Retention struct {
	Before  time.Time // those that ended earlier go
	Records int       // beyond this many in all, those that ended first go
}

// Overdue finds invocations of an owner that are kept no longer: those that ended first, and at most
// limit. Live ones stay (rule RET-1).
func (db *DB) Overdue(ctx context.Context, o Owner, r Retention, limit int) ([]int64, error) {
	rows, err := db.reads.QueryContext(ctx, `select seq from invocations where account = $1 and region = $2 and building = 0 and finished > 0 and finished < $3
		order by finished, seq limit $4`, o.Account, o.Region, orderly.Millis(r.Before), limit)
	seqs, err := collect(rows, err, scanSeq)
	if err != nil || len(seqs) > 0 {
		return seqs, err
	}
	// What is counted and what is found is as of one moment: two servers find the same.
	rows, err = db.reads.QueryContext(ctx, `select seq from invocations where account = $1 and region = $2 and building = 0 and finished > 0
		order by finished, seq limit (select case when count(*) > $3 then count(*) - $3 else 0 end from
			(select 1 from invocations where account = $1 and region = $2 and building = 0 limit $4) counted)`,
		o.Account, o.Region, r.Records, r.Records+limit)
	return collect(rows, err, scanSeq)
}

func scanSeq(r *sql.Rows) (seq int64, err error) { return seq, r.Scan(&seq) }

// Retire hides ended invocations, so that DropRetired removes them. Those that somebody else has hidden
// already are left alone.
func (t *Tx) Retire(seqs []int64) error {
	for _, seq := range slices.Sorted(slices.Values(seqs)) {
		var o Owner
		err := t.row(`update invocations set building = $2 where seq = $1 and building = 0 and finished > 0 returning account, region`, seq, beingRemoved).
			Scan(&o.Account, &o.Region)
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			return err
		}
		if err := t.unstand(o.Account, o.Region, seq); err != nil {
			return err
		}
	}
	return nil
}

// DropRetired removes what was hidden, about limit rows at once; it reports whether there is
// more.
func (t *Tx) DropRetired(limit int) (more bool, err error) {
	rows, err := t.query(`select seq, id, account, region, command from invocations where building > 0 and building = $1 order by seq limit 100`+
		t.db.dialect.skipLocked, beingRemoved)
	list, err := collect(rows, err, func(r *sql.Rows) (h hidden, err error) {
		return h, r.Scan(&h.seq, &h.id, &h.account, &h.region, &h.command)
	})
	for _, h := range list {
		var gone bool
		if limit, gone, err = t.drop(h, limit); err != nil {
			return false, err
		}
		if !gone || limit <= 0 {
			break
		}
	}
	return len(list) > 0, err
}

// DropUnbuilt hides an invocation whose making was cut off before a time, so that nobody completes it any more, and
// removes at most limit of its rows; DropRetired removes the others. Nobody was told of it and none of its tasks was
// sent. It reports whether there may be another.
func (t *Tx) DropUnbuilt(before time.Time, limit int) (more bool, err error) {
	var h hidden
	err = t.row(`select seq, id, account, region, command from invocations where building = 1 and created < $1 limit 1`+t.db.dialect.skipLocked, orderly.Millis(before)).
		Scan(&h.seq, &h.id, &h.account, &h.region, &h.command)
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := t.exec(`update invocations set building = $2 where seq = $1`, h.seq, beingRemoved); err != nil {
		return false, err
	}
	if _, err := t.exec(`delete from client_tokens where answer like '%' || $1 || '%'`, h.id); err != nil {
		return false, err
	}
	_, _, err = t.drop(h, limit)
	return true, err
}

// Leaving notes that an instance has left the fleet and has live tasks still, until Left.
func (t *Tx) Leaving(instance string) error {
	_, err := t.exec(`insert into leavers (instance) values ($1) on conflict (instance) do nothing`, instance)
	return err
}

// Left notes that an instance that has left has no more live tasks.
func (t *Tx) Left(instance string) error {
	_, err := t.exec(`delete from leavers where instance = $1`, instance)
	return err
}

// Leavers lists instances that have left and have live tasks still.
func (db *DB) Leavers(ctx context.Context) ([]string, error) {
	rows, err := db.reads.QueryContext(ctx, `select instance from leavers order by instance limit 1000`)
	return collect(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
}

// A hidden invocation is one that nobody sees.
type hidden struct {
	seq                          int64
	id, account, region, command string
}

// parts are the tables with rows of an invocation, each with the columns that tell these apart.
var parts = []struct{ table, key string }{
	{"tasks", "ordinal"},
	{"late_results", "ordinal, report"},
	{"runs", "ordinal, run"},
}

// drop removes rows of a hidden invocation, at most limit, and itself when none is left; left is what
// remains of the limit.
func (t *Tx) drop(h hidden, limit int) (left int, gone bool, err error) {
	for _, p := range parts {
		n, err := t.exec(`delete from `+p.table+` where invocation = $1 and (`+p.key+`) in
			(select `+p.key+` from `+p.table+` where invocation = $1 limit $2)`, h.seq, limit)
		if err != nil || n >= int64(limit) {
			return 0, false, err
		}
		limit -= int(n)
	}
	if err := t.unstand(h.account, h.region, h.seq); err != nil {
		return 0, false, err
	}
	for _, q := range []string{`delete from counters where invocation = $1`, `delete from invocations where seq = $1`} {
		if _, err := t.exec(q, h.seq); err != nil {
			return 0, false, err
		}
	}
	if _, err := t.exec(`delete from tags where kind = $1 and resource = $2`, TaggedInvocation, h.id); err != nil {
		return 0, false, err
	}
	return limit - 1, true, t.DropUnkept([]string{h.command})
}
