package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
)

// LockPresences finds what is known of the agents of instances of the fleet, for a change; who is
// not one of the fleet is left out.
func (t *Tx) LockPresences(ids []string) (map[string]orderly.Presence, error) {
	return t.presences(ids, forUpdateOf(t, "p"))
}

// Presences finds the same as it is now, without holding anybody up.
func (t *Tx) Presences(ids []string) (map[string]orderly.Presence, error) {
	return t.presences(ids, "")
}

func (t *Tx) presences(ids []string, lock string) (map[string]orderly.Presence, error) {
	found := map[string]orderly.Presence{}
	for _, piece := range batches(ids, 1000) {
		if len(piece) == 0 {
			continue
		}
		var w where
		w.add("i.deregistered = 0")
		oneOf(&w, &t.db.dialect, "p.instance", piece)
		rows, err := t.query(`select p.instance, p.link, p.incarnation, p.boot, p.linked, p.heartbeat from presence p join instances i on i.id = p.instance`+
			w.String()+` order by p.instance`+lock, w.args...)
		_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
			var id string
			var p orderly.Presence
			var linked, heartbeat int64
			err := r.Scan(&id, &p.Link, &p.Boot.Incarnation, &p.Boot.ID, &linked, &heartbeat)
			p.LinkedAt, p.Heartbeat = orderly.FromMillis(linked), orderly.FromMillis(heartbeat)
			found[id] = p
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// A Link is one process of an agent that came up.
type Link struct {
	Instance, ID, AgentVersion string
	Boot                       orderly.Boot
}

// Linked stores links that came up, which is a sign of life too.
func (t *Tx) Linked(links []Link) error {
	presence, versions := make([][]any, len(links)), make([][]any, len(links))
	for i, l := range links {
		presence[i] = []any{l.Instance, l.ID, l.Boot.Incarnation, l.Boot.ID, orderly.Millis(t.Now)}
		versions[i] = []any{l.Instance, l.AgentVersion}
	}
	if err := t.each(`update presence set link = $2, incarnation = $3, boot = $4, linked = $5, heartbeat = $5 where instance = $1`, presence); err != nil {
		return err
	}
	err := t.each(`update instances set agent_version = $2 where id = $1 and agent_version <> $2`, versions)
	return err
}

// Unlinked stores, by instance, links that went down; a newer link of the same instance stays up.
func (t *Tx) Unlinked(links map[string]string) error {
	var rows [][]any
	for _, instance := range slices.Sorted(maps.Keys(links)) {
		link := links[instance]
		rows = append(rows, []any{instance, link, orderly.Millis(t.Now)})
	}
	err := t.each(`update presence set link = '', linked = $3 where instance = $1 and link = $2`, rows)
	return err
}

// UnlinkAll notes that no link is up: what a server does that starts with a message bus of its own.
func (t *Tx) UnlinkAll() error {
	_, err := t.exec(`update presence set link = '', linked = $1 where link <> ''`, orderly.Millis(t.Now))
	return err
}

// A Beat is a sign of life of a link.
type Beat struct {
	Link string
	At   time.Time
}

// Alive stores signs of life by instance, and tells those whose link does not hold its instance: they
// count for nothing.
func (t *Tx) Alive(beats map[string]Beat) (strangers []string, err error) {
	instances := slices.Sorted(maps.Keys(beats))
	known, err := t.LockPresences(instances)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, instance := range instances {
		b := beats[instance]
		if p, ok := known[instance]; !ok || p.Link != b.Link {
			strangers = append(strangers, instance)
		} else if b.At.After(p.Heartbeat) {
			rows = append(rows, []any{instance, orderly.Millis(b.At)})
		}
	}
	return strangers, t.each(`update presence set heartbeat = $2 where instance = $1`, rows)
}

// AddActivity counts ended tasks and newest starts by instance (rule HB-3).
func (t *Tx) AddActivity(done map[string]int, started map[string]time.Time) error {
	var rows [][]any
	for _, instance := range slices.Sorted(maps.Keys(done)) {
		rows = append(rows, []any{instance, done[instance], orderly.Millis(started[instance])})
	}
	err := t.each(`update activity set completed = completed + $2, invoked = case when invoked < $3 then $3 else invoked end where instance = $1`, rows)
	return err
}

// CountLinks counts the instances whose link is up.
func (db *DB) CountLinks(ctx context.Context) (n int, err error) {
	return n, db.reads.QueryRowContext(ctx, `select count(*) from presence where link <> ''`).Scan(&n)
}

// Names finds the names of instances.
func (t *Tx) Names(ids []string) (map[string]string, error) {
	found := map[string]string{}
	for _, piece := range batches(ids, 1000) {
		if len(piece) == 0 {
			continue
		}
		var w where
		w.in("id", piece)
		rows, err := t.query(`select id, name from instances`+w.String(), w.args...)
		_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
			var id, name string
			err := r.Scan(&id, &name)
			found[id] = name
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
