package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderly-run/orderly"
)

// listed is the range of an index on invocations that has those of an owner, by one more column or
// in all.
func listed(account, region, column string, value any) list {
	l := list{seq: "v.seq"}
	l.then(step{table: "invocations v"})
	l.add(l.first(), "v.account = ?", account)
	l.add(l.first(), "v.region = ?", region)
	l.add(l.first(), "v.building = 0")
	if column != "" {
		l.add(l.first(), column+" = ?", value)
	}
	return l
}

// tagged is the range of the index on tags that has the invocations with one.
func tagged(account, region string, g orderly.Tag) list {
	l := list{seq: "g.seq"}
	l.then(step{table: "tags g"})
	l.add(l.first(), "g.account = ?", account)
	l.add(l.first(), "g.region = ?", region)
	l.add(l.first(), "g.kind = 'invocation'")
	l.add(l.first(), "g.name = ? and g.value = ?", g.Key, g.Value)
	l.visible()
	return l
}

// onInstance is the range of the index on tasks that has those of an instance, without those of others'
// invocations: an instance has tasks of invocations in all realms.
func onInstance(account, region, instance string) list {
	l := list{seq: "t.invocation"}
	l.then(step{table: "tasks t"})
	l.add(l.first(), "t.instance = ?", instance)
	l.probe("invocations o", "o.account = ? and o.region = ? and o.building = 0 and o.seq = t.invocation", account, region)
	return l
}

// standing is the range of standings that has the invocations found by one.
func (s standing) list(account, region string) list {
	l := list{seq: "s.seq"}
	l.then(step{table: "standings s"})
	l.add(l.first(), "s.account = ?", account)
	l.add(l.first(), "s.region = ?", region)
	l.add(l.first(), "s.kind = ? and s.value = ?", s.kind, s.value)
	l.visible()
	return l
}

// visible leaves out what is being made or removed.
func (l *list) visible() {
	l.add(l.first(), l.seq+" not in (select h.seq from invocations h where h.building > 0)")
}

// probe admits what has a row, of which there is at most one, in a table. It is a step and not an
// "exists", which may be answered by a walk along two indexes from their ends.
func (l *list) probe(table, cond string, args ...any) {
	l.add(l.then(step{table: table, keep: "1"}), cond, args...)
}

// also admits invocations with a value in a column, of those in the list; "" admits all. The column is
// written so that no index is chosen by it.
func (l *list) also(column, value string) {
	if value != "" {
		l.add(l.invocations(), "v."+column+" || '' = ?", value)
	}
}

// invocations is the step that has all columns of the invocations in the list.
func (l *list) invocations() *step {
	if v := l.step("v"); v != nil {
		return v
	}
	v := l.then(step{table: "invocations v", keep: "v.*"})
	l.add(v, "v.seq = "+l.seq)
	return v
}

// carrying admits invocations that carry tags.
func (l *list) carrying(account, region string, tags []orderly.Tag) {
	for i, g := range tags {
		e := fmt.Sprintf("e%d", i)
		l.probe("tags "+e, strings.ReplaceAll("E.account = ? and E.region = ? and E.kind = 'invocation' and E.name = ? and E.value = ? and E.seq = "+l.seq, "E.", e+"."),
			account, region, g.Key, g.Value)
	}
}

// list is where the invocations that f admits are found: by what is likely to admit the fewest.
func (f InvocationFilter) list() list {
	var l list
	f.Region = shelved(f.Realm, f.Region)
	settled := f.Status == "" && f.Aggregate == "" && f.Legacy == "" && f.Timed == nil && len(f.Tags) == 0
	by := func(column string, value *string) {
		l = listed(f.Account, f.Region, column, *value)
		*value = ""
	}
	switch status := f.Status; {
	case f.ID != "":
		by("v.id", &f.ID)
	case f.Instance != "":
		l = onInstance(f.Account, f.Region, f.Instance)
		l.showing(taskStatus(status, true))
		l.showing(taskStatus(f.Legacy, false))
		f.Instance, f.Status, f.Legacy = "", "", ""
	case len(f.Tags) > 0:
		l = tagged(f.Account, f.Region, f.Tags[0])
		l.timed(l.first(), f.Timed)
		f.Tags, f.Timed = f.Tags[1:], nil
	case f.CommandID != "":
		by("v.command", &f.CommandID)
	case f.CommandName != "":
		by("v.command_name", &f.CommandName)
	case status != "":
		l = standing{shows, status}.list(f.Account, f.Region)
		f.Status = ""
	case f.Aggregate != "":
		l = standing{shows, f.Aggregate}.list(f.Account, f.Region) // which may be its older status
	case f.ResourceGroup != "":
		by("v.resource_group", &f.ResourceGroup)
		l.add(l.first(), "v.resource_group <> ''")
	case f.Timed != nil && *f.Timed:
		l = listed(f.Account, f.Region, "v.timed", flag(true))
		f.Timed = nil
	case f.Repeat != "":
		by("v.repeat_mode", &f.Repeat)
	case f.CommandType != "":
		by("v.command_type", &f.CommandType)
	case f.Timed != nil:
		l = listed(f.Account, f.Region, "v.timed", flag(false))
		f.Timed = nil
	default:
		l = listed(f.Account, f.Region, "", "")
	}
	f.rest(&l)
	l.settled = settled
	return l
}

// rest adds the conditions that no index was chosen by.
func (f InvocationFilter) rest(l *list) {
	l.also("id", f.ID)
	l.also("command", f.CommandID)
	l.also("command_name", f.CommandName)
	l.also("command_type", f.CommandType)
	l.also("resource_group", f.ResourceGroup)
	l.also("repeat_mode", f.Repeat)
	l.also("status", f.Aggregate)
	if f.Timed != nil {
		l.timed(l.invocations(), f.Timed)
	}
	l.carrying(f.Account, f.Region, f.Tags)
	switch {
	case f.Instance != "":
		state, full := taskStatus(f.Status, true)
		older, fully := taskStatus(f.Legacy, false)
		l.add(l.first(), "exists (select 1 from tasks t where t.instance = ? and t.invocation = v.seq and "+strings.Join([]string{state, full, older, fully}, " and ")+")", f.Instance)
	case f.Status != "":
		l.probe("standings s", "s.account = ? and s.region = ? and s.kind = ? and s.value = ? and s.seq = "+l.seq, f.Account, f.Region, shows, f.Status)
	}
}

// timed admits invocations that will run again by themselves, or those that will not (rule DI-3). As in
// also, no index is chosen by it.
func (l *list) timed(s *step, timed *bool) {
	if timed != nil {
		l.add(s, "+"+s.alias()+".timed = ?", flag(*timed))
	}
}

// showing admits tasks that meet the conditions of a taskStatus.
func (l *list) showing(state, full string) {
	l.add(l.step("t"), state)
	if full == always {
		return
	}
	v := l.invocations()
	if l.first().alias() != "t" {
		v = l.step("t") // which comes after it
	}
	l.add(v, full)
}

const (
	always  = "1 = 1"
	repeats = `v.repeat_mode in ('Period', 'NextRebootOnly', 'EveryReboot')`
	rare    = `t.state in ('Timeout', 'Error', 'Invalid', 'Aborted', 'Cancelled', 'Terminated')` // what the index tasks_rare is of
)

// taskStatus is the condition that a task shows a status of the older vocabulary (rules LG-1, LG-2), or
// of either (rule DR-3), "" admits all: one on its state, and one that minds how its invocation repeats and whether it was
// stopped, which is always true when the state tells.
func taskStatus(status string, either bool) (state, full string) {
	if status == "" {
		return always, always
	}
	var any, once, alone, stopped []string
	for _, s := range orderly.States {
		q := "'" + string(s) + "'"
		shown := func(m orderly.RepeatMode, stopped bool) bool {
			return either && string(s) == status || string(s.LegacyStatus(m, stopped)) == status
		}
		for _, c := range []struct {
			found bool
			in    *[]string
		}{{shown(orderly.Once, false), &once}, {shown(orderly.Period, false), &alone}, {shown(orderly.Period, true), &stopped}} {
			if c.found {
				*c.in = append(*c.in, q)
			}
			if c.found && !slices.Contains(any, q) {
				any = append(any, q)
			}
		}
	}
	if slices.Equal(once, alone) && slices.Equal(once, stopped) {
		return stateIn(any), always
	}
	return stateIn(any), "(not " + repeats + " and " + stateIn(once) +
		" or " + repeats + " and t.stopped = 0 and " + stateIn(alone) +
		" or " + repeats + " and t.stopped > 0 and " + stateIn(stopped) + ")"
}

// stateIn is the condition that a task is in one of some states, as they are written in SQL.
func stateIn(states []string) string {
	if len(states) == 0 {
		return "1 = 0"
	}
	return "t.state in (" + strings.Join(states, ", ") + ")"
}

// list is where the tasks that f admits are found.
func (f ResultFilter) list() list {
	settled := f.Record == "" && f.State == "" && len(f.Tags) == 0
	f.Region = shelved(f.Realm, f.Region)
	l, f := f.source()
	l.also("command", f.CommandID)
	l.also("resource_group", f.ResourceGroup)
	l.carrying(f.Account, f.Region, f.Tags)
	f.tasks(&l)
	l.settled = settled
	return l
}

// tasks admits the tasks of the invocations in the list, or those in it.
func (f ResultFilter) tasks(l *list) {
	state, full := taskStatus(f.Record, true)
	if full != always {
		l.invocations()
	}
	t := l.step("t")
	if t == nil {
		t = l.then(step{table: "tasks t", keep: "t.ordinal", order: "t.ordinal"})
		l.add(t, "t.invocation = "+l.seq)
	}
	l.ordinal = "t.ordinal"
	if f.Instance != "" {
		l.add(t, "t.instance = ?", f.Instance)
	}
	if f.State != "" {
		l.add(t, "t.state = ?", f.State)
	}
	if merged[orderly.State(f.State)] && l.first() != t {
		l.add(t, rare)
	}
	l.showing(state, full)
}

// source is where the invocations, or with an instance the tasks, that f admits are found: by what is
// likely to admit the fewest; and f without that.
func (f ResultFilter) source() (list, ResultFilter) {
	found, rare := f.standing()
	switch {
	case f.InvokeID != "":
		return listed(f.Account, f.Region, "v.id", f.InvokeID), f
	case f.Instance != "":
		l := onInstance(f.Account, f.Region, f.Instance)
		f.Instance = ""
		return l, f
	case rare || found != standing{} && f.CommandID == "" && f.ResourceGroup == "" && len(f.Tags) == 0:
		return found.list(f.Account, f.Region), f
	case len(f.Tags) > 0:
		l := tagged(f.Account, f.Region, f.Tags[0])
		f.Tags = f.Tags[1:]
		return l, f
	case f.CommandID != "":
		l := listed(f.Account, f.Region, "v.command", f.CommandID)
		f.CommandID = ""
		return l, f
	case f.ResourceGroup != "":
		l := listed(f.Account, f.Region, "v.resource_group", f.ResourceGroup)
		l.add(l.first(), "v.resource_group <> ''")
		f.ResourceGroup = ""
		return l, f
	}
	return listed(f.Account, f.Region, "", ""), f
}

// standing is the standing that invocations with such tasks have, none when f admits any status; rare
// says that few are likely to have it.
func (f ResultFilter) standing() (s standing, rare bool) {
	switch {
	case f.State != "":
		s = standing{holds, f.State}
	case f.Record == string(orderly.LegacyRunning) || f.Record == string(orderly.LegacyFinished) ||
		f.Record == string(orderly.LegacyFailed) || f.Record == string(orderly.LegacyStopped):
		s = standing{records, f.Record}
	case f.Record != "":
		s = standing{holds, f.Record}
	}
	return s, s != standing{} && s.value != string(orderly.Success) && s.value != string(orderly.LegacyFinished)
}
