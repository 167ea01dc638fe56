package store

import (
	"cmp"
	"maps"
	"slices"

	"github.com/orderly-run/orderly"
)

// Kinds of standings: by what an invocation is found.
const (
	shows   = "shows"   // its own status, in either vocabulary (DI-6)
	holds   = "holds"   // the state of one of its tasks (DR-6)
	records = "records" // the legacy status of one, or its state of the same name (DR-3)
)

// A standing is a value by which an invocation is found.
type standing struct{ kind, value string }

// merged are the states that share a counter with others. They are final, so an invocation that has
// held one holds it for good; see mark.
var merged = map[orderly.State]bool{
	orderly.Timeout: true, orderly.Error: true, orderly.Invalid: true, orderly.Aborted: true,
	orderly.Cancelled: true, orderly.Terminated: true,
}

// standings are all that follow from the counts of an invocation of a mode.
func standings(c orderly.Counts, m orderly.RepeatMode) map[standing]bool {
	found := map[standing]bool{{shows, string(c.Status())}: true, {shows, string(c.LegacyStatus(m))}: true}
	for s, n := range map[orderly.State]int{
		orderly.Pending: c.Pending, orderly.Scheduled: c.Scheduled, orderly.Running: c.Running, orderly.Stopping: c.Stopping,
		orderly.Success: c.Success, orderly.Failed: c.Failed,
	} {
		if n > 0 {
			found[standing{holds, string(s)}] = true
		}
	}
	legacy := map[orderly.LegacyStatus]int{
		orderly.LegacyRunning: c.Pending + c.Scheduled + c.Running, orderly.LegacyFinished: c.Success + c.Failed,
		orderly.LegacyFailed: c.Failed + c.Broken, orderly.LegacyStopped: c.Stopped,
	}
	if m.Repeats() { // LG-2
		legacy = map[orderly.LegacyStatus]int{
			orderly.LegacyRunning: c.Total() - c.Stopping - c.Halted, orderly.LegacyFailed: c.Failed, orderly.LegacyStopped: c.Halted,
		}
	}
	for l, n := range legacy {
		if n > 0 {
			found[standing{records, string(l)}] = true
		}
	}
	return found
}

// A restanding gathers how the standings of invocations change, to write all of it at once.
type restanding struct{ gone, come [][]any }

// move takes up an invocation whose standings were others before.
func (r *restanding) move(account, region string, seq int64, before, after map[standing]bool) {
	for _, s := range sorted(before) {
		if !after[s] {
			r.gone = append(r.gone, []any{account, region, s.kind, s.value, seq})
		}
	}
	for _, s := range sorted(after) {
		if !before[s] {
			r.come = append(r.come, []any{account, region, s.kind, s.value, seq})
		}
	}
}

func sorted(of map[standing]bool) []standing {
	return slices.SortedFunc(maps.Keys(of), func(a, b standing) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.value, b.value))
	})
}

func (t *Tx) restand(r restanding) error {
	if err := t.each(`delete from standings where account = $1 and region = $2 and kind = $3 and value = $4 and seq = $5`, r.gone); err != nil {
		return err
	}
	return t.each(`insert into standings (account, region, kind, value, seq) values ($1, $2, $3, $4, $5) on conflict do nothing`, r.come)
}

// mark notes which invocations hold the merged states of some tasks.
func (t *Tx) mark(tasks []orderly.Task) error {
	held := map[int64]map[orderly.State]bool{}
	for i := range tasks {
		k := &tasks[i]
		if !merged[k.State] {
			continue
		}
		if held[k.Invocation] == nil {
			held[k.Invocation] = map[orderly.State]bool{}
		}
		held[k.Invocation][k.State] = true
	}
	var rows [][]any
	for _, seq := range slices.Sorted(maps.Keys(held)) { // the order in which all transactions lock
		for _, s := range slices.Sorted(maps.Keys(held[seq])) {
			rows = append(rows, []any{seq, s})
		}
	}
	return t.each(`insert into standings (account, region, kind, value, seq)
		select account, region, '`+holds+`', $2, seq from invocations where seq = $1 on conflict do nothing`, rows)
}

// unstand removes all standings of an invocation.
func (t *Tx) unstand(account, region string, seq int64) error {
	var w where
	w.add("account = ?", account)
	w.add("region = ?", region)
	w.in("kind", []string{shows, holds, records})
	w.in("value", standingValues())
	w.add("seq = ?", seq)
	_, err := t.exec(`delete from standings`+w.String(), w.args...)
	return err
}

// standingValues lists every value that a standing can have.
func standingValues() []string {
	values := []string{string(orderly.StatusStopped), string(orderly.StatusPartialFailed), string(orderly.LegacyFinished)}
	for _, s := range orderly.States {
		values = append(values, string(s))
	}
	return values
}
