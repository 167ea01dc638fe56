package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

const (
	instanceColumns = `i.seq, i.id, i.account, i.region, i.name, i.activation, i.public_key, i.machine_id, i.hostname, i.os, i.os_version,
	i.agent_version, i.intranet_ip, i.internet_ip, i.resource_group, i.registered`
	presenceColumns = `p.link, p.incarnation, p.boot, p.linked, p.heartbeat, a.completed, a.invoked`
	instanceRows    = `instances i join presence p on p.instance = i.id join activity a on a.instance = i.id`
)

func scanInstance(r interface{ Scan(...any) error }) (orderly.Instance, error) {
	var i orderly.Instance
	var registered, linked, heartbeat, invoked int64
	err := r.Scan(&i.Seq, &i.ID, &i.Account, &i.Region, &i.Name, &i.Activation, &i.PublicKey, &i.MachineID, &i.Hostname, &i.OS, &i.OSVersion,
		&i.AgentVersion, &i.IntranetIP, &i.InternetIP, &i.ResourceGroup, &registered,
		&i.Presence.Link, &i.Presence.Boot.Incarnation, &i.Presence.Boot.ID, &linked, &heartbeat, &i.Invocations, &invoked)
	i.Registered, i.LastInvoked = orderly.FromMillis(registered), orderly.FromMillis(invoked)
	i.Presence.LinkedAt, i.Presence.Heartbeat = orderly.FromMillis(linked), orderly.FromMillis(heartbeat)
	return i, err
}

// AddInstance stores a newly registered instance with its tags. ErrTaken when its key is known.
func (t *Tx) AddInstance(i orderly.Instance) error {
	at := orderly.Millis(i.Registered)
	if _, err := t.exec(`insert into instances (seq, id, account, region, name, activation, public_key, machine_id, hostname, os, os_version,
		agent_version, intranet_ip, internet_ip, resource_group, registered, deregistered)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0)`,
		i.Seq, i.ID, i.Account, i.Region, i.Name, i.Activation, i.PublicKey, i.MachineID, i.Hostname, i.OS, i.OSVersion,
		i.AgentVersion, i.IntranetIP, i.InternetIP, i.ResourceGroup, at); err != nil {
		return err
	}
	if _, err := t.exec(`insert into presence (instance, link, incarnation, boot, linked, heartbeat) values ($1, '', '', '', $2, 0)`, i.ID, at); err != nil {
		return err
	}
	if _, err := t.exec(`insert into activity (instance, completed, invoked) values ($1, 0, 0)`, i.ID); err != nil {
		return err
	}
	return t.addTags(TaggedInstance, i.ID, i.Account, i.Region, i.Tags)
}

// Instance finds one of the fleet for a change; ErrNotFound when there is none.
func (t *Tx) Instance(id string) (orderly.Instance, error) {
	i, err := scanInstance(t.row(`select `+instanceColumns+`, `+presenceColumns+` from `+instanceRows+
		` where i.id = $1 and i.deregistered = 0`+forUpdateOf(t, "i"), id))
	if errors.Is(err, errNothing) {
		return i, ErrNotFound
	}
	if err != nil {
		return i, err
	}
	i.Tags, err = t.tagsOf(TaggedInstance, id)
	return i, err
}

// InstanceByKey finds one of the fleet by its agent's public key; ErrNotFound when there is none.
func (t *Tx) InstanceByKey(publicKey string) (orderly.Instance, error) {
	var id string
	if err := t.row(`select id from instances where public_key = $1 and deregistered = 0`, publicKey).Scan(&id); errors.Is(err, errNothing) {
		return orderly.Instance{}, ErrNotFound
	} else if err != nil {
		return orderly.Instance{}, err
	}
	return t.Instance(id)
}

// Renamed gives an instance another name.
func (t *Tx) Renamed(id, name string) error {
	_, err := t.exec(`update instances set name = $2 where id = $1`, id, name)
	return err
}

// Deregistered takes an instance out of the fleet for good; its row and its past stay. Its tags go, and
// so does its presence: who waits for that row's lock, to hand tasks over or to admit a link, finds none.
func (t *Tx) Deregistered(id string) error {
	if _, err := t.exec(`update instances set deregistered = $2 where id = $1`, id, orderly.Millis(t.Now)); err != nil {
		return err
	}
	if _, err := t.exec(`delete from tags where kind = $1 and resource = $2`, TaggedInstance, id); err != nil {
		return err
	}
	_, err := t.exec(`delete from presence where instance = $1`, id)
	return err
}

// An InstanceFilter says which instances to list; empty fields admit all.
type InstanceFilter struct {
	Account, Region                                               string
	IDs                                                           []string
	Name, IP, OS, Activation, MachineID, ResourceGroup, PublicKey string
	Tags                                                          []orderly.Tag
	Connected                                                     *bool         // by heartbeat
	Fresh                                                         time.Duration // how old a heartbeat may be

	Search          string                 // in the name and the host name, whatever the case; or an ID or address
	NameLike        string                 // may begin or end with *
	Status          orderly.InstanceStatus // by heartbeat too
	Private, Public []string               // addresses, of which it must have one
	Addresses       []string               // the same, of either sort
	Since, Until    int64                  // when it was registered, in Unix ms; 0 for whenever

	WithoutActive bool // leave Active at 0: counting takes long where machines have many tasks
}

func (f InstanceFilter) where(now time.Time) where {
	var w where
	w.add("i.deregistered = 0")
	w.eq("i.account", f.Account)
	w.eq("i.region", f.Region)
	if len(f.IDs) > 0 {
		w.in("i.id", f.IDs)
	}
	w.eq("i.name", f.Name)
	if f.IP != "" {
		w.add("(i.intranet_ip = ? or i.internet_ip = ?)", f.IP, f.IP)
	}
	w.eq("i.os", f.OS)
	w.eq("i.activation", f.Activation)
	w.eq("i.machine_id", f.MachineID)
	w.eq("i.resource_group", f.ResourceGroup)
	w.eq("i.public_key", f.PublicKey)
	w.tagged(TaggedInstance, "i.id", f.Tags)
	if f.Connected != nil {
		op := map[bool]string{true: ">=", false: "<"}[*f.Connected]
		w.add("p.heartbeat "+op+" ?", orderly.Millis(now.Add(-f.Fresh)))
	}
	if f.Search != "" {
		s := strings.ToLower(f.Search)
		w.add("(replace(lower(i.name), ?, '') <> lower(i.name) or replace(lower(i.hostname), ?, '') <> lower(i.hostname) or i.id = ? or i.intranet_ip = ? or i.internet_ip = ?)",
			s, s, f.Search, f.Search, f.Search)
	}
	w.wild("i.name", f.NameLike)
	w.status(f.Status, orderly.Millis(now.Add(-f.Fresh)))
	w.oneOf(f.Private, "i.intranet_ip")
	w.oneOf(f.Public, "i.internet_ip")
	w.oneOf(f.Addresses, "i.intranet_ip", "i.internet_ip")
	if f.Since != 0 {
		w.add("i.registered >= ?", f.Since)
	}
	if f.Until != 0 {
		w.add("i.registered <= ?", f.Until)
	}
	return w
}

// status adds a condition for what orderly.Presence.Status says; since is when a sign of life, or a
// registration, is recent. "" admits all.
func (w *where) status(s orderly.InstanceStatus, since int64) {
	const starting = "p.heartbeat = 0 and p.linked >= ?"
	switch s {
	case "":
	case orderly.InstanceRunning:
		w.add("p.heartbeat > 0 and p.heartbeat >= ?", since)
	case orderly.InstanceStarting:
		w.add(starting, since)
	case orderly.InstanceStopped:
		w.add("p.heartbeat < ? and not ("+starting+")", since, since)
	default:
		w.add("1 = 0")
	}
}

// oneOf adds the condition that one of some columns has one of some values; none of those admits all.
func (w *where) oneOf(values []string, columns ...string) {
	if len(values) == 0 {
		return
	}
	var conds []string
	var args []any
	for _, c := range columns {
		conds = append(conds, c+" in ("+strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")+")")
		for _, v := range values {
			args = append(args, v)
		}
	}
	w.add("("+strings.Join(conds, " or ")+")", args...)
}

// Instances lists instances of the fleet, newest first, and counts all that match.
func (db *DB) Instances(ctx context.Context, f InstanceFilter, p Page) ([]orderly.Instance, int, error) {
	w := f.where(db.Now())
	total, err := db.count(ctx, instanceRows, w)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.page(ctx, `select `+instanceColumns+`, `+presenceColumns+` from `+instanceRows, "i.seq", w, p)
	list, err := collect(rows, err, func(r *sql.Rows) (orderly.Instance, error) { return scanInstance(r) })
	if err != nil {
		return nil, 0, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	tags, err := db.tagsOf(ctx, TaggedInstance, ids)
	if err != nil {
		return nil, 0, err
	}
	active := map[string]int{}
	if !f.WithoutActive {
		active, err = db.active(ctx, ids)
	}
	for i := range list {
		list[i].Tags, list[i].Active = tags[list[i].ID], active[list[i].ID]
	}
	return list, total, err
}

// active counts the tasks Running or Stopping on instances (rule HB-3).
func (db *DB) active(ctx context.Context, ids []string) (map[string]int, error) {
	found := map[string]int{}
	if len(ids) == 0 {
		return found, nil
	}
	var w where
	w.add("live = 1")
	w.in("instance", ids)
	w.add("state in ('Running', 'Stopping')")
	rows, err := db.reads.QueryContext(ctx, `select instance, count(*) from tasks`+w.String()+` group by instance`, w.args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id string
		var n int
		err := r.Scan(&id, &n)
		found[id] = n
		return struct{}{}, err
	})
	return found, err
}

// A Keyholder is who may connect with a public key.
type Keyholder struct{ PublicKey, Instance string }

// Keyholders calls f with every instance of the fleet that has a key.
func (db *DB) Keyholders(ctx context.Context, f func(Keyholder)) error {
	rows, err := db.reads.QueryContext(ctx, `select public_key, id from instances where deregistered = 0`)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var k Keyholder
		err := r.Scan(&k.PublicKey, &k.Instance)
		f(k)
		return struct{}{}, err
	})
	return err
}

// Keyholder finds the instance of the fleet with a public key; ErrNotFound when there is none.
func (db *DB) Keyholder(ctx context.Context, publicKey string) (string, error) {
	var id string
	err := db.reads.QueryRowContext(ctx, `select id from instances where public_key = $1 and deregistered = 0`, publicKey).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	return id, err
}

// A Target is an instance that an invocation is for, as it is while the invocation is created.
type Target struct {
	ID, Name, ResourceGroup string
	OS                      orderly.OSType
	Presence                orderly.Presence
}

// Targets finds instances for an invocation, by IDs or by tags that all must match, oldest first,
// at most limit + 1. Their presence cannot change before the transaction ends, so that a task is
// either handed to a link here or seen by the hello that comes after.
func (t *Tx) Targets(account, region string, of orderly.Target, limit int) ([]Target, error) {
	return targets(account, region, of, func(w where) (*sql.Rows, error) {
		return t.query(targetQuery(w, limit)+forShareOf(t, "p"), w.args...)
	})
}

// Targets finds instances for an invocation without holding anybody up.
func (db *DB) Targets(ctx context.Context, account, region string, of orderly.Target, limit int) ([]Target, error) {
	return targets(account, region, of, func(w where) (*sql.Rows, error) {
		return db.reads.QueryContext(ctx, targetQuery(w, limit), w.args...)
	})
}

func targetQuery(w where, limit int) string {
	return fmt.Sprintf(`select i.id, i.name, i.resource_group, i.os, p.link, p.incarnation, p.boot, p.linked, p.heartbeat from instances i join presence p on p.instance = i.id%s order by i.seq limit %d`,
		w.String(), limit+1)
}

func targets(account, region string, of orderly.Target, query func(where) (*sql.Rows, error)) ([]Target, error) {
	var tags []orderly.Tag
	for _, g := range of.Tags {
		if g.Key != orderly.AllTag {
			tags = append(tags, g)
		} else if g.Value != "" {
			return nil, nil // the built-in tag has the empty value
		}
	}
	var list []Target
	for _, ids := range batches(of.Instances, 1000) {
		w := InstanceFilter{Account: account, Region: region, IDs: ids, Tags: tags}.where(time.Time{})
		rows, err := query(w)
		found, err := collect(rows, err, scanTarget)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

func scanTarget(r *sql.Rows) (Target, error) {
	var g Target
	var linked, heartbeat int64
	err := r.Scan(&g.ID, &g.Name, &g.ResourceGroup, &g.OS, &g.Presence.Link, &g.Presence.Boot.Incarnation, &g.Presence.Boot.ID, &linked, &heartbeat)
	g.Presence.LinkedAt, g.Presence.Heartbeat = orderly.FromMillis(linked), orderly.FromMillis(heartbeat)
	return g, err
}

// batches cuts a list into pieces of at most n; an empty list is one empty piece.
func batches[T any](list []T, n int) [][]T {
	pieces := [][]T{}
	for len(list) > n {
		pieces, list = append(pieces, list[:n]), list[n:]
	}
	return append(pieces, list)
}
