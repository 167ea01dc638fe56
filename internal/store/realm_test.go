package store_test

import (
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// SW-3: what was made in one realm is found there, by no way in another, and as it was.
func TestRealmsAreApart(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, false, "mi-1")
		tag := []orderly.Tag{{Key: "k", Value: "v"}}
		made := map[string]orderly.Invocation{}
		for _, realm := range []string{"", "other"} {
			c := orderly.Command{
				Seq: db.NextSeq(), ID: "c-" + realm, Account: account, Realm: realm, Region: region, Name: "n", Type: orderly.RunShellScript, Kept: true, Tags: tag,
			}
			change(t, db, func(tx *store.Tx) error { return tx.AddCommand(c) })
			made[realm] = addInvocation(t, db, []string{"mi-1"}, func(v *orderly.Invocation) { v.Command, v.Tags, v.Repeat = c, tag, orderly.Period })
			keepRuns(t, db, made[realm], 0, orderly.Run{Ordinal: 1, State: orderly.Success, Started: made[realm].Created})
		}
		for _, realm := range []string{"", "other", "third"} {
			for of, v := range made {
				if got, want := waysTo(t, db, orderly.Caller{Account: account, Realm: realm}, v), map[bool]int{true: 13}[of == realm]; got != want {
					t.Errorf("in realm %q, what was made in %q is found by %d ways, want %d", realm, of, got, want)
				}
			}
		}
	})
}

// waysTo counts the ways in which a caller finds an invocation and its command.
func waysTo(t *testing.T, db *store.DB, by orderly.Caller, v orderly.Invocation) (n int) {
	t.Helper()
	count := func(found int, err error) {
		t.Helper()
		must(t, err)
		n += found
	}
	page := store.Page{Limit: 10}
	list, _, err := db.Invocations(t.Context(), store.InvocationFilter{Account: account, Realm: by.Realm, Region: region, ID: v.ID}, page)
	count(len(list), err)
	if len(list) > 0 && (list[0].Command.Realm != v.Command.Realm || list[0].Region != region) {
		t.Errorf("read in realm %q and region %q, want %q and %q", list[0].Command.Realm, list[0].Region, v.Command.Realm, region)
	}
	for _, f := range []store.InvocationFilter{{Instance: "mi-1"}, {Aggregate: "Pending"}, {Status: "Running"}, {Tags: v.Tags}} {
		f.Account, f.Realm, f.Region = account, by.Realm, region
		list, _, err := db.Invocations(t.Context(), f, page)
		count(among(list, v.ID), err)
	}
	on, _, err := db.Results(t.Context(), store.ResultFilter{Account: account, Realm: by.Realm, Region: region, Instance: "mi-1"}, page)
	for _, r := range on {
		count(among([]orderly.Invocation{r.Of}, v.ID), err)
	}
	of := store.ResultFilter{Account: account, Realm: by.Realm, Region: region, InvokeID: v.ID}
	rows, _, err := db.Results(t.Context(), of, page)
	count(len(rows), err)
	rows, _, err = db.Runs(t.Context(), of, page)
	count(len(rows), err)
	commands, _, err := db.Commands(t.Context(), store.CommandFilter{Account: account, Realm: by.Realm, Region: region, ID: v.Command.ID}, page)
	count(len(commands), err)
	for kind, id := range map[store.Kind]string{store.TaggedCommand: v.Command.ID, store.TaggedInvocation: v.ID} {
		tagged, err := db.CountResources(t.Context(), store.Resources{Account: account, Realm: by.Realm, Region: region, Kind: kind, IDs: []string{id}})
		count(tagged, err)
	}
	change(t, db, func(tx *store.Tx) error {
		if _, err := tx.FindInvocation(by, region, v.ID); err == nil {
			n++
		}
		if c, err := tx.Command(by, region, v.Command.ID); err == nil && c.Realm == v.Command.Realm {
			n++
		}
		return nil
	})
	if recurs, err := db.Recurs(t.Context(), by, region, v.ID); err != nil || recurs != (by.Realm == v.Command.Realm) {
		t.Errorf("whether it recurs: %t, %v", recurs, err)
	}
	return n
}

// among counts the invocations with an ID.
func among(list []orderly.Invocation, id string) (n int) {
	for _, v := range list {
		if v.ID == id {
			n++
		}
	}
	return n
}
