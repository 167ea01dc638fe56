package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

func TestCensusIsKeptOncePerTime(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1", "mi-2")
		addInstances(t, db, false, "mi-3")
		change(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: "mi-9", Account: "2", Region: region, PublicKey: "U9", Registered: tx.Now}),
				tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: "mi-gone", Account: account, Region: region, PublicKey: "U8", Registered: tx.Now}))
		})
		change(t, db, func(tx *store.Tx) error { return tx.Deregistered("mi-gone") })
		since := db.Now().Add(-time.Minute)
		counts, err := db.CountFleets(t.Context(), since)
		must(t, err)
		mine := store.Owner{Account: account, Region: region}
		want := []store.CensusOf{{Owner: mine, Census: store.Census{Machines: 3, Online: 2}}, {Owner: store.Owner{Account: "2", Region: region}, Census: store.Census{Machines: 1}}}
		if d := cmp.Diff(want, counts); d != "" {
			t.Fatalf("CountFleets (-want +got)\n%s", d)
		}
		at := time.UnixMilli(1_700_000_000_000).UTC()
		add := func(at time.Time, online int) {
			counts[0].Online = online
			change(t, db, func(tx *store.Tx) error { return tx.AddCensus(at, counts, time.Hour) })
		}
		add(at.Add(-2*time.Hour), 0) // too old, once others come
		add(at, 2)
		add(at, 1) // another server's
		add(at.Add(5*time.Minute), 3)
		got, err := db.Censuses(t.Context(), mine, at.Add(-24*time.Hour))
		must(t, err)
		if d := cmp.Diff([]store.Census{{At: at, Machines: 3, Online: 2}, {At: at.Add(5 * time.Minute), Machines: 3, Online: 3}}, got); d != "" {
			t.Errorf("Censuses (-want +got)\n%s", d)
		}
		now, err := db.CountFleet(t.Context(), mine, since)
		must(t, err)
		if now.Machines != 3 || now.Online != 2 {
			t.Errorf("CountFleet = %+v, want 2 of 3", now)
		}
		if none, err := db.CountFleet(t.Context(), store.Owner{Account: "3", Region: region}, since); err != nil || none.Machines != 0 {
			t.Errorf("CountFleet of nobody = %+v, %v", none, err)
		}
	})
}

func TestTagsInUseAreTheOwnersMostFrequent(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		add := func(id, account string, tags ...orderly.Tag) {
			change(t, db, func(tx *store.Tx) error {
				return tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: id, Account: account, Region: region, PublicKey: id, Registered: tx.Now, Tags: tags})
			})
		}
		web, blue := orderly.Tag{Key: "role", Value: "web"}, orderly.Tag{Key: "colour", Value: "blue"}
		add("mi-1", account, web, blue)
		add("mi-2", account, web)
		add("mi-3", "2", blue, orderly.Tag{Key: "secret"})
		got, err := db.TagsInUse(t.Context(), store.Owner{Account: account, Region: region}, 10)
		must(t, err)
		if d := cmp.Diff([]store.TagCount{{Tag: web, Machines: 2}, {Tag: blue, Machines: 1}}, got); d != "" {
			t.Errorf("TagsInUse (-want +got)\n%s", d)
		}
		if got, err = db.TagsInUse(t.Context(), store.Owner{Account: account, Region: region}, 1); err != nil || len(got) != 1 {
			t.Errorf("TagsInUse, 1 at most = %v, %v", got, err)
		}
	})
}
