package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/orderly-run/orderly"
)

const activationColumns = `seq, id, code_hash, account, region, description, name_prefix, uses, address_range, ttl, resource_group, disabled, registered, deregistered, created`

func scanActivation(r interface{ Scan(...any) error }) (orderly.Activation, error) {
	var a orderly.Activation
	var ttl, disabled, created int64
	err := r.Scan(&a.Seq, &a.ID, &a.CodeHash, &a.Account, &a.Region, &a.Description, &a.NamePrefix, &a.Count, &a.AddressRange,
		&ttl, &a.ResourceGroup, &disabled, &a.Registered, &a.Deregistered, &created)
	a.TTL, a.Disabled, a.Created = time.Duration(ttl)*time.Millisecond, disabled != 0, orderly.FromMillis(created)
	return a, err
}

// AddActivation stores a new activation with its tags.
func (t *Tx) AddActivation(a orderly.Activation) error {
	if _, err := t.exec(`insert into activations (`+activationColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		a.Seq, a.ID, a.CodeHash, a.Account, a.Region, a.Description, a.NamePrefix, a.Count, a.AddressRange, a.TTL.Milliseconds(),
		a.ResourceGroup, flag(a.Disabled), a.Registered, a.Deregistered, orderly.Millis(a.Created)); err != nil {
		return err
	}
	return t.addTags(TaggedActivation, a.ID, a.Account, a.Region, a.Tags)
}

// CountActivations counts the activations of an account in a region that machines can still
// register with: one that has done its part, and cannot be deleted any more, must not use up the
// quota for ever.
func (t *Tx) CountActivations(account, region string) (n int, err error) {
	return n, t.row(`select count(*) from activations where account = $1 and region = $2 and disabled = 0 and registered < uses and created + ttl >= $3`,
		account, region, orderly.Millis(t.Now)).Scan(&n)
}

// Activation finds an activation of any account for a change; ErrNotFound when there is none.
func (t *Tx) Activation(id string) (orderly.Activation, error) {
	a, err := scanActivation(t.row(`select `+activationColumns+` from activations where id = $1`+t.db.dialect.forUpdate, id))
	if errors.Is(err, errNothing) {
		return a, ErrNotFound
	}
	if err != nil {
		return a, err
	}
	a.Tags, err = t.tagsOf(TaggedActivation, id)
	return a, err
}

// SaveActivation stores what can change of an activation.
func (t *Tx) SaveActivation(a orderly.Activation) error {
	_, err := t.exec(`update activations set disabled = $2, registered = $3, deregistered = $4 where id = $1`,
		a.ID, flag(a.Disabled), a.Registered, a.Deregistered)
	return err
}

// DeleteActivation removes an activation and its tags.
func (t *Tx) DeleteActivation(id string) error {
	if _, err := t.exec(`delete from tags where kind = $1 and resource = $2`, TaggedActivation, id); err != nil {
		return err
	}
	_, err := t.exec(`delete from activations where id = $1`, id)
	return err
}

// An ActivationFilter says which activations to list; empty fields admit all.
type ActivationFilter struct {
	Account, Region, ID, NamePrefix, ResourceGroup string
	Tags                                           []orderly.Tag
}

// Activations lists activations, newest first, and counts all that match.
func (db *DB) Activations(ctx context.Context, f ActivationFilter, p Page) ([]orderly.Activation, int, error) {
	var w where
	w.add("account = ?", f.Account)
	w.add("region = ?", f.Region)
	w.eq("id", f.ID)
	w.eq("name_prefix", f.NamePrefix)
	w.eq("resource_group", f.ResourceGroup)
	w.tagged(TaggedActivation, "id", f.Tags)
	total, err := db.count(ctx, "activations", w)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.page(ctx, `select `+activationColumns+` from activations`, "seq", w, p)
	list, err := collect(rows, err, func(r *sql.Rows) (orderly.Activation, error) { return scanActivation(r) })
	if err != nil {
		return nil, 0, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	tags, err := db.tagsOf(ctx, TaggedActivation, ids)
	for i := range list {
		list[i].Tags = tags[list[i].ID]
	}
	return list, total, err
}

// page runs a query for one page of rows, newest first by column.
func (db *DB) page(ctx context.Context, q, column string, w where, p Page) (*sql.Rows, error) {
	if p.After.Seq != 0 {
		w.add(column+" < ?", p.After.Seq)
	}
	tail := ` order by ` + column + ` desc limit ` + w.arg(p.Limit)
	if p.Offset > 0 {
		tail += ` offset ` + w.arg(p.Offset)
	}
	return db.reads.QueryContext(ctx, q+w.String()+tail, w.args...)
}
