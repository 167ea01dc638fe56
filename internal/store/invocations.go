package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
)

const (
	invocationColumns = `v.seq, v.id, v.account, v.region, v.finished, v.size, v.created, v.command, v.command_name, v.command_description, v.command_type,
	v.content, v.working_dir, v.timeout, v.enable_parameter, v.launcher, v.keep_command, v.parameters, v.repeat_mode, v.frequency, v.termination, v.username,
	v.password_name, v.container_id, v.container_name, v.resource_group, v.delivery, v.wait_for_away, v.caller_key, v.source_ip, v.version, v.file`
	counterColumns = `c.pending, c.scheduled, c.running, c.stopping, c.success, c.failed, c.broken, c.stopped, c.halted`
	invocationRows = `invocations v join counters c on c.invocation = v.seq`
)

func scanInvocation(r interface{ Scan(...any) error }) (orderly.Invocation, error) {
	var v orderly.Invocation
	var finished, created, timeout, enable, keep, delivery, wait int64
	var params, file string
	c := &v.Command
	err := r.Scan(&v.Seq, &v.ID, &v.Account, &v.Region, &finished, &v.Size, &created, &c.ID, &c.Name, &c.Description, &c.Type,
		&c.Content, &c.WorkingDir, &timeout, &enable, &c.Launcher, &keep, &params, &v.Repeat, &v.Frequency, &v.Termination, &v.Username,
		&v.WindowsPasswordName, &v.ContainerID, &v.ContainerName, &v.ResourceGroup, &delivery, &wait, &v.CallerKey, &v.SourceIP, &v.Version, &file,
		&v.Counts.Pending, &v.Counts.Scheduled, &v.Counts.Running, &v.Counts.Stopping, &v.Counts.Success, &v.Counts.Failed,
		&v.Counts.Broken, &v.Counts.Stopped, &v.Counts.Halted)
	if err != nil {
		return v, err
	}
	c.Realm, v.Region = unshelved(v.Region)
	v.Finished, v.Created = orderly.FromMillis(finished), orderly.FromMillis(created)
	c.Timeout, v.Delivery = time.Duration(timeout)*time.Millisecond, time.Duration(delivery)*time.Millisecond
	c.EnableParameter, v.KeepCommand, v.WaitForAway = enable != 0, keep != 0, wait != 0
	if err := json.Unmarshal([]byte(params), &v.Parameters); err != nil || file == "" {
		return v, err
	}
	v.File = &orderly.File{Name: c.Name, Content: string(c.Content)}
	c.Name, c.Content = "", nil
	return v, json.Unmarshal([]byte(file), v.File)
}

// AddInvocation stores an invocation with its tags. It stays hidden until Built.
func (t *Tx) AddInvocation(v orderly.Invocation) error {
	params, err := json.Marshal(v.Parameters)
	if err != nil {
		return err
	}
	c, file := v.Command, []byte{}
	if v.File != nil {
		c.Name, c.Content = v.File.Name, []byte(v.File.Content)
		if file, err = json.Marshal(v.File); err != nil {
			return err
		}
	}
	v.Region = shelved(c.Realm, v.Region)
	if _, err := t.exec(`insert into invocations (seq, id, account, region, timed, status, legacy_status, building, finished, size, created,
		command, command_name, command_description, command_type, content, working_dir, timeout, enable_parameter, launcher, keep_command,
		parameters, repeat_mode, frequency, termination, username, password_name, container_id, container_name, resource_group,
		delivery, wait_for_away, caller_key, source_ip, file)
		values ($1, $2, $3, $4, $30, '', '', 1, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $31)`,
		v.Seq, v.ID, v.Account, v.Region, v.Size, orderly.Millis(v.Created),
		c.ID, c.Name, c.Description, c.Type, blob(c.Content), c.WorkingDir, c.Timeout.Milliseconds(), flag(c.EnableParameter), c.Launcher, flag(v.KeepCommand),
		string(params), v.Repeat, v.Frequency, v.Termination, v.Username, v.WindowsPasswordName, v.ContainerID, v.ContainerName, v.ResourceGroup,
		v.Delivery.Milliseconds(), flag(v.WaitForAway), v.CallerKey, v.SourceIP, flag(v.Repeat.Repeats()), string(file)); err != nil {
		return err
	}
	return t.addTags(TaggedInvocation, v.ID, v.Account, v.Region, v.Tags)
}

// Built makes an invocation visible, with the counts of its tasks and the earliest of their dues;
// ErrNotFound when it took so long that DropUnbuilt removed it.
func (t *Tx) Built(seq int64, c orderly.Counts, mode orderly.RepeatMode, due time.Time) error {
	finished := int64(0)
	if c.Live() == 0 {
		finished = orderly.Millis(t.Now)
	}
	var account, region string
	err := t.row(`update invocations set building = 0, status = $2, legacy_status = $3, finished = $4 where seq = $1 returning account, region`,
		seq, c.Status(), c.LegacyStatus(mode), finished).Scan(&account, &region)
	if errors.Is(err, errNothing) {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	if _, err = t.exec(`insert into counters (invocation, pending, scheduled, running, stopping, success, failed, broken, stopped, halted, next_due)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		seq, c.Pending, c.Scheduled, c.Running, c.Stopping, c.Success, c.Failed, c.Broken, c.Stopped, c.Halted, orderly.Millis(due)); err != nil {
		return err
	}
	if finished != 0 && mode.Repeats() {
		if err := t.untimed(seq); err != nil {
			return err
		}
	}
	var r restanding
	r.move(account, region, seq, nil, standings(c, mode))
	return t.restand(r)
}

// untimed notes that an invocation will not run again by itself (DI-3).
func (t *Tx) untimed(seq int64) error {
	if _, err := t.exec(`update invocations set timed = 0 where seq = $1`, seq); err != nil {
		return err
	}
	_, err := t.exec(`update tags set timed = 0 where kind = $1 and resource = (select id from invocations where seq = $2)`, TaggedInvocation, seq)
	return err
}

// Building keeps DropUnbuilt off an invocation that is being made; ErrNotFound when it came first.
func (t *Tx) Building(seq int64) error {
	err := t.row(`select seq from invocations where seq = $1 and building = 1`+t.db.dialect.forUpdate, seq).Scan(&seq)
	if errors.Is(err, errNothing) {
		return ErrNotFound
	}
	return err
}

// Unbuilt reports whether an invocation is still being made.
func (db *DB) Unbuilt(ctx context.Context, id string) (bool, error) {
	var n int
	err := db.reads.QueryRowContext(ctx, `select count(*) from invocations where id = $1 and building = 1`, id).Scan(&n)
	return n > 0, err
}

// FindInvocation finds an invocation that a caller knows of by its ID; ErrNotFound when there is none.
func (t *Tx) FindInvocation(by orderly.Caller, region, id string) (orderly.Invocation, error) {
	v, err := scanInvocation(t.row(`select `+invocationColumns+`, `+counterColumns+` from `+invocationRows+
		` where v.id = $1 and v.account = $2 and v.region = $3 and v.building = 0`, id, by.Account, shelved(by.Realm, region)))
	if errors.Is(err, errNothing) {
		return v, ErrNotFound
	}
	return v, err
}

// InvocationsBySeq finds invocations by their numbers.
func (t *Tx) InvocationsBySeq(seqs []int64) (map[int64]orderly.Invocation, error) {
	found := make(map[int64]orderly.Invocation, len(seqs))
	if len(seqs) == 0 {
		return found, nil
	}
	var w where
	w.add("v.building = 0")
	oneOf(&w, &t.db.dialect, "v.seq", seqs)
	rows, err := t.query(`select `+invocationColumns+`, `+counterColumns+` from `+invocationRows+w.String(), w.args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		v, err := scanInvocation(r)
		found[v.Seq] = v
		return struct{}{}, err
	})
	return found, err
}

// A Change is what happened to an invocation's tasks in a transaction.
type Change struct {
	Seq   int64
	Delta orderly.Counts
	Due   time.Time // earliest due among the tasks that changed; zero for none
}

// Changed adds to the counters of invocations, in their order, and moves what follows from them:
// status, due time, end. It comes after the changes to tasks, so that all lock in the same order:
// tasks by their keys, invocations by their numbers, each by its counters first, then activity.
func (t *Tx) Changed(changes []Change) error {
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Seq, b.Seq) })
	var r restanding
	for _, c := range changes {
		if err := t.changed(c, &r); err != nil {
			return fmt.Errorf("count invocation %d: %w", c.Seq, err)
		}
	}
	return t.restand(r)
}

func (t *Tx) changed(ch Change, r *restanding) error {
	switch {
	case ch.Delta != (orderly.Counts{}):
		if err := t.recount(ch.Seq, ch.Delta, r); err != nil {
			return err
		}
	case !ch.Due.IsZero():
		var seq int64 // the lock makes a sweep see this due time, or this transaction what the sweep has set
		if err := t.row(`select invocation from counters where invocation = $1`+t.db.dialect.forUpdate, ch.Seq).Scan(&seq); err != nil {
			return err
		}
	}
	if ch.Due.IsZero() {
		return nil
	}
	_, err := t.exec(`update counters set next_due = $2 where invocation = $1 and (next_due = 0 or next_due > $2) and pending + scheduled + running + stopping > 0`,
		ch.Seq, orderly.Millis(ch.Due))
	return err
}

func (t *Tx) recount(seq int64, d orderly.Counts, r *restanding) error {
	var c orderly.Counts
	err := t.row(`update counters set pending = pending + $2, scheduled = scheduled + $3, running = running + $4, stopping = stopping + $5,
		success = success + $6, failed = failed + $7, broken = broken + $8, stopped = stopped + $9, halted = halted + $10 where invocation = $1
		returning pending, scheduled, running, stopping, success, failed, broken, stopped, halted`,
		seq, d.Pending, d.Scheduled, d.Running, d.Stopping, d.Success, d.Failed, d.Broken, d.Stopped, d.Halted).Scan(
		&c.Pending, &c.Scheduled, &c.Running, &c.Stopping, &c.Success, &c.Failed, &c.Broken, &c.Stopped, &c.Halted)
	if err != nil {
		return err
	}
	o, err := t.outline(seq)
	if err != nil {
		return err
	}
	r.move(o.account, o.region, seq, standings(c.Sub(d), o.mode), standings(c, o.mode))
	return t.restate(seq, c, o)
}

// An outline is what a change of an invocation's counts needs to know of it.
type outline struct {
	account, region, command string
	mode                     orderly.RepeatMode
	status                   orderly.Status
	legacy                   orderly.LegacyStatus
	finished                 int64
}

func (t *Tx) outline(seq int64) (o outline, err error) {
	return o, t.row(`select account, region, command, repeat_mode, status, legacy_status, finished from invocations where seq = $1`, seq).
		Scan(&o.account, &o.region, &o.command, &o.mode, &o.status, &o.legacy, &o.finished)
}

// restate writes an invocation's statuses where the counts say otherwise.
func (t *Tx) restate(seq int64, c orderly.Counts, o outline) error {
	ended := c.Live() == 0
	if o.status == c.Status() && o.legacy == c.LegacyStatus(o.mode) && ended == (o.finished != 0) {
		return nil
	}
	if !ended {
		_, err := t.exec(`update invocations set status = $2, legacy_status = $3 where seq = $1`, seq, c.Status(), c.LegacyStatus(o.mode))
		return err
	}
	if _, err := t.exec(`update invocations set status = $2, legacy_status = $3, finished = $4 where seq = $1`,
		seq, c.Status(), c.LegacyStatus(o.mode), orderly.Millis(t.Now)); err != nil {
		return err
	}
	if _, err := t.exec(`update counters set next_due = 0 where invocation = $1 and next_due > 0`, seq); err != nil {
		return err
	}
	if o.mode.Repeats() {
		if err := t.untimed(seq); err != nil {
			return err
		}
	}
	return t.DropUnkept([]string{o.command})
}

// DueInvocations finds invocations with a task that fell due, earliest first, and keeps others off
// their counters until the transaction ends; those whose tasks are changing just now are left out.
func (t *Tx) DueInvocations(at time.Time, limit int) ([]int64, error) {
	rows, err := t.query(dueInvocations+` order by next_due limit $2`+t.db.dialect.skipLocked, orderly.Millis(at), limit)
	return collect(rows, err, func(r *sql.Rows) (seq int64, err error) { return seq, r.Scan(&seq) })
}

const dueInvocations = `select invocation from counters where next_due > 0 and next_due <= $1`

// AnyDue reports whether there may be a due invocation, without holding anybody up.
func (db *DB) AnyDue(ctx context.Context, at time.Time) (bool, error) {
	var n int
	err := db.reads.QueryRowContext(ctx, `select count(*) from (select 1 from counters where next_due > 0 and next_due <= $1 limit 1) due`, orderly.Millis(at)).Scan(&n)
	return n > 0, err
}

// Redue sets when invocations must be looked at again, from the dues their tasks have now.
func (t *Tx) Redue(seqs []int64) error {
	var w where
	oneOf(&w, &t.db.dialect, "invocation", seqs)
	if lock := t.db.dialect.forUpdate; lock != "" { // an update that had to wait would count with the tasks as they were before
		rows, err := t.query(`select invocation from counters`+w.String()+` order by invocation`+lock, w.args...)
		if _, err := collect(rows, err, scanSeq); err != nil {
			return err
		}
	}
	_, err := t.exec(`update counters set next_due = coalesce((select min(due) from tasks where tasks.invocation = counters.invocation and due > 0), 0)`+w.String(), w.args...)
	return err
}
