package store_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

func TestInstanceIsFoundByEveryFilter(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		want := orderly.Instance{Seq: db.NextSeq(), ID: "mi-1", Account: account, Region: region, Name: "web-1", Activation: "A", PublicKey: "U1",
			MachineID: "m1", Hostname: "h", OS: orderly.Linux, OSVersion: "13", AgentVersion: "1.0", IntranetIP: "10.0.0.1", InternetIP: "1.2.3.4",
			ResourceGroup: "rg-1", Tags: []orderly.Tag{{Key: "a", Value: ""}, {Key: "b", Value: "2"}}}
		old := orderly.Instance{Seq: db.NextSeq(), ID: "mi-2", Account: account, Region: region, Name: "Web-1", PublicKey: "U2", OS: orderly.Windows,
			Tags: []orderly.Tag{{Key: "b", Value: "3"}}}
		foreign := orderly.Instance{Seq: db.NextSeq(), ID: "mi-3", Account: "2", Region: region, PublicKey: "U3"}
		change(t, db, func(tx *store.Tx) error {
			want.Registered, foreign.Registered, old.Registered = tx.Now, tx.Now, tx.Now.Add(-time.Hour)
			boot := orderly.Boot{Incarnation: "inc", ID: "boot"}
			want.Presence = orderly.Presence{Link: "link", Boot: boot, LinkedAt: tx.Now, Heartbeat: tx.Now}
			return errors.Join(tx.AddInstance(want), tx.AddInstance(old), tx.AddInstance(foreign),
				tx.Linked([]store.Link{{Instance: want.ID, ID: "link", AgentVersion: want.AgentVersion, Boot: boot}}))
		})
		yes, no := true, false
		for name, f := range map[string]store.InstanceFilter{
			"id": {IDs: []string{"mi-1", "mi-9"}}, "name, minding the case": {Name: "web-1"}, "private address": {IP: "10.0.0.1"},
			"public address": {IP: "1.2.3.4"}, "os": {OS: "linux"}, "activation": {Activation: "A"}, "machine": {MachineID: "m1"},
			"group": {ResourceGroup: "rg-1"}, "key": {PublicKey: "U1"}, "connected": {Connected: &yes, Fresh: time.Minute},
			"search, whatever the case": {Search: "B-1", OS: "linux"}, "search of an address": {Search: "10.0.0.1"}, "search of an ID": {Search: "mi-1"},
			"part of the name": {NameLike: "we*"}, "status": {Status: orderly.InstanceRunning, Fresh: time.Minute},
			"private addresses": {Private: []string{"10.0.0.9", "10.0.0.1"}}, "public addresses": {Public: []string{"1.2.3.4"}},
			"addresses": {Addresses: []string{"1.2.3.4"}}, "since": {Since: want.Registered.UnixMilli()},
			"until": {Until: want.Registered.UnixMilli(), NameLike: "w*"},
			"tag":   {Tags: []orderly.Tag{{Key: "b", Value: "2"}}}, "all of the tags": {Tags: []orderly.Tag{{Key: "a"}, {Key: "b", Value: "2"}}},
		} {
			f.Account, f.Region = account, region
			got, total, err := db.Instances(t.Context(), f, store.Page{Limit: 10})
			must(t, err)
			if d := cmp.Diff([]orderly.Instance{want}, got); d != "" || total != 1 {
				t.Errorf("by %s: total %d, want 1; (-want +got)\n%s", name, total, d)
			}
		}
		for name, f := range map[string]store.InstanceFilter{
			"not connected":     {Connected: &no, Fresh: time.Minute, Tags: []orderly.Tag{{Key: "b", Value: "2"}}},
			"stopped":           {Status: orderly.InstanceStopped, Fresh: time.Minute, Tags: []orderly.Tag{{Key: "b", Value: "2"}}},
			"starting":          {Status: orderly.InstanceStarting, Fresh: time.Minute},
			"other status":      {Status: "Pending"},
			"public as private": {Private: []string{"1.2.3.4"}},
			"too late":          {Since: want.Registered.UnixMilli() + 1},
			"too early":         {Until: want.Registered.UnixMilli() - 3_600_001},
			"some tags":         {Tags: []orderly.Tag{{Key: "a"}, {Key: "b", Value: "3"}}},
			"region":            {Region: "cn-beijing"},
		} {
			f.Account = account
			if got, total, err := db.Instances(t.Context(), f, store.Page{Limit: 10}); err != nil || len(got)+total != 0 {
				t.Errorf("by %s: %d instances, %v; want none", name, len(got), err)
			}
		}
	})
}

func TestDeregisteredInstanceIsNoneOfTheFleet(t *testing.T) { // MI-7
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1", "mi-2")
		change(t, db, func(tx *store.Tx) error { return tx.Deregistered("mi-1") })
		list, total, err := db.Instances(t.Context(), store.InstanceFilter{Account: account}, store.Page{Limit: 10})
		must(t, err)
		if total != 1 || len(list) != 1 || list[0].ID != "mi-2" {
			t.Errorf("Instances = %d of %d, want mi-2 alone", len(list), total)
		}
		change(t, db, func(tx *store.Tx) error {
			if _, err := tx.Instance("mi-1"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Instance = %v, want ErrNotFound", err)
			}
			if _, err := tx.InstanceByKey("key-mi-1"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("InstanceByKey = %v, want ErrNotFound", err)
			}
			found, err := tx.Targets(account, region, orderly.Target{Instances: []string{"mi-1", "mi-2"}}, 10)
			if err != nil || len(found) != 1 {
				t.Errorf("Targets = %v, %v; want mi-2 alone", found, err)
			}
			present, err := tx.LockPresences([]string{"mi-1", "mi-2"})
			if err != nil || len(present) != 1 {
				t.Errorf("LockPresences = %v, %v; want mi-2 alone", present, err)
			}
			return tx.Linked([]store.Link{{Instance: "mi-1", ID: "l"}})
		})
		if _, err := db.Keyholder(t.Context(), "key-mi-1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Keyholder = %v, want ErrNotFound", err)
		}
		var keys []store.Keyholder
		must(t, db.Keyholders(t.Context(), func(k store.Keyholder) { keys = append(keys, k) }))
		if !slices.Equal(keys, []store.Keyholder{{PublicKey: "key-mi-2", Instance: "mi-2"}}) {
			t.Errorf("Keyholders = %v, want mi-2's alone", keys)
		}
		if n, err := db.CountLinks(t.Context()); err != nil || n != 1 {
			t.Errorf("CountLinks = %d, %v; want 1", n, err)
		}
	})
}

func TestTargetsByTagsMustCarryAll(t *testing.T) { // TGT-3, TGT-7
	each(t, func(t *testing.T, db *store.DB) {
		add := func(id string, tags ...orderly.Tag) {
			change(t, db, func(tx *store.Tx) error {
				return tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: id, Account: account, Region: region, PublicKey: id, Tags: tags})
			})
		}
		add("mi-1", orderly.Tag{Key: "a", Value: "1"}, orderly.Tag{Key: "b"})
		add("mi-2", orderly.Tag{Key: "a", Value: "1"})
		add("mi-3")
		for _, c := range []struct {
			tags []orderly.Tag
			want []string
		}{
			{[]orderly.Tag{{Key: "a", Value: "1"}}, []string{"mi-1", "mi-2"}},
			{[]orderly.Tag{{Key: "a", Value: "1"}, {Key: "b"}}, []string{"mi-1"}},
			{[]orderly.Tag{{Key: "a"}}, nil}, // the empty value is a value
			{[]orderly.Tag{{Key: orderly.AllTag}}, []string{"mi-1", "mi-2", "mi-3"}},
			{[]orderly.Tag{{Key: orderly.AllTag}, {Key: "b"}}, []string{"mi-1"}},
			{[]orderly.Tag{{Key: orderly.AllTag, Value: "x"}}, nil},
		} {
			found, err := db.Targets(t.Context(), account, region, orderly.Target{Tags: c.tags}, 10)
			must(t, err)
			var got []string
			for _, g := range found {
				got = append(got, g.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v selects %v, want %v", c.tags, got, c.want)
			}
		}
		found, err := db.Targets(t.Context(), account, region, orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}}}, 1)
		if err != nil || len(found) != 2 {
			t.Errorf("with a limit of 1 %d are found, want one more", len(found))
		}
	})
}

func TestPresenceKeepsTheNewestLink(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1", "mi-2")
		link := func(id string) string {
			t.Helper()
			var p map[string]orderly.Presence
			change(t, db, func(tx *store.Tx) (err error) {
				p, err = tx.Presences([]string{id})
				return err
			})
			return p[id].Link
		}
		newer := store.Link{Instance: "mi-1", ID: "newer", AgentVersion: "2.0", Boot: orderly.Boot{Incarnation: "i2", ID: "b2"}}
		change(t, db, func(tx *store.Tx) error { return tx.Linked([]store.Link{newer}) })
		change(t, db, func(tx *store.Tx) error {
			return tx.Unlinked(map[string]string{"mi-1": "link-mi-1", "mi-2": "link-mi-2"})
		})
		if link("mi-1") != "newer" || link("mi-2") != "" {
			t.Errorf("links = %q, %q; want the newer one up and the other down", link("mi-1"), link("mi-2"))
		}
		list, _, err := db.Instances(t.Context(), store.InstanceFilter{IDs: []string{"mi-1"}}, store.Page{Limit: 1})
		must(t, err)
		if p := list[0].Presence; p.Boot != newer.Boot || list[0].AgentVersion != "2.0" {
			t.Errorf("instance = %+v, want the newer boot and agent", list[0])
		}
		change(t, db, func(tx *store.Tx) error { return tx.UnlinkAll() })
		if n, err := db.CountLinks(t.Context()); err != nil || n != 0 {
			t.Errorf("CountLinks = %d, %v; want 0", n, err)
		}
	})
}

func TestHeartbeatsOnlyGrow(t *testing.T) { // HB-2
	each(t, func(t *testing.T, db *store.DB) {
		ids := make([]string, 1500)
		at, beats := map[string]time.Time{}, map[string]store.Beat{}
		start := db.Now()
		for n := range ids {
			ids[n] = orderly.NewID("mi", region, int64(n))
			at[ids[n]] = start.Add(time.Duration(n%3-1) * time.Hour) // earlier, the same, later
			beats[ids[n]] = store.Beat{Link: "link-" + ids[n], At: at[ids[n]]}
		}
		addInstances(t, db, true, ids...)
		var before, got map[string]orderly.Presence
		change(t, db, func(tx *store.Tx) (err error) {
			before, err = tx.Presences(ids)
			return err
		})
		must(t, db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
			_, err := tx.Alive(beats)
			return err
		}))
		change(t, db, func(tx *store.Tx) (err error) {
			got, err = tx.Presences(ids)
			return err
		})
		for _, id := range ids {
			if h := got[id].Heartbeat; h.Before(at[id]) || h.Before(before[id].Heartbeat) {
				t.Fatalf("heartbeat of %s = %v, want the later of %v and %v", id, h, at[id], before[id].Heartbeat)
			}
		}
	})
}

func TestBeatOfALinkWithoutASeatCountsForNothing(t *testing.T) { // HB-1
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1", "mi-2")
		addInstances(t, db, false, "mi-3")
		later := db.Now().Add(time.Hour)
		var strangers []string
		var got map[string]orderly.Presence
		change(t, db, func(tx *store.Tx) (err error) {
			strangers, err = tx.Alive(map[string]store.Beat{
				"mi-1": {Link: "link-mi-1", At: later}, "mi-2": {Link: "other", At: later}, "mi-3": {Link: "link-mi-3", At: later}, "mi-4": {Link: "x", At: later},
			})
			if err != nil {
				return err
			}
			got, err = tx.Presences([]string{"mi-1", "mi-2", "mi-3"})
			return err
		})
		if want := []string{"mi-2", "mi-3", "mi-4"}; !slices.Equal(strangers, want) {
			t.Errorf("strangers %v, want %v", strangers, want)
		}
		if !got["mi-1"].Heartbeat.Equal(later) || !got["mi-2"].Heartbeat.Before(later) || !got["mi-3"].Heartbeat.IsZero() {
			t.Errorf("heartbeats %v, %v and %v, want only the first moved, and none of the one never linked", got["mi-1"].Heartbeat, got["mi-2"].Heartbeat, got["mi-3"].Heartbeat)
		}
	})
}

func TestActivityCountsAndKeepsTheNewestStart(t *testing.T) { // HB-3
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, false, "mi-1")
		late, early := db.Now(), db.Now().Add(-time.Hour)
		for _, s := range []time.Time{late, early, {}} {
			change(t, db, func(tx *store.Tx) error {
				return tx.AddActivity(map[string]int{"mi-1": 2}, map[string]time.Time{"mi-1": s})
			})
		}
		list, _, err := db.Instances(t.Context(), store.InstanceFilter{}, store.Page{Limit: 1})
		must(t, err)
		if list[0].Invocations != 6 || !list[0].LastInvoked.Equal(late) {
			t.Errorf("activity = %d, %v; want 6, %v", list[0].Invocations, list[0].LastInvoked, late)
		}
	})
}

func TestActivationChangesAndGoes(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		want := orderly.Activation{Seq: db.NextSeq(), ID: "A", CodeHash: []byte{1, 2}, Account: account, Region: region, Description: "d", NamePrefix: "web",
			Count: 3, AddressRange: "10.0.0.0/8", TTL: time.Hour, ResourceGroup: "rg-1", Tags: []orderly.Tag{{Key: "k", Value: "v"}}, Created: db.Now()}
		change(t, db, func(tx *store.Tx) error { return tx.AddActivation(want) })
		for _, f := range []store.ActivationFilter{{ID: "A"}, {NamePrefix: "web"}, {ResourceGroup: "rg-1"}, {Tags: want.Tags}} {
			f.Account, f.Region = account, region
			got, total, err := db.Activations(t.Context(), f, store.Page{Limit: 5})
			must(t, err)
			if d := cmp.Diff([]orderly.Activation{want}, got); d != "" || total != 1 {
				t.Errorf("%+v: total %d; (-want +got)\n%s", f, total, d)
			}
		}
		want.Disabled, want.Registered, want.Deregistered = true, 2, 1
		change(t, db, func(tx *store.Tx) error { return tx.SaveActivation(want) })
		change(t, db, func(tx *store.Tx) error {
			got, err := tx.Activation("A")
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Activation (-want +got)\n%s", d)
			}
			return errors.Join(err, tx.DeleteActivation("A"))
		})
		change(t, db, func(tx *store.Tx) error {
			if _, err := tx.Activation("A"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Activation after its deletion = %v, want ErrNotFound", err)
			}
			return tx.AddActivation(orderly.Activation{Seq: db.NextSeq(), ID: "A", CodeHash: []byte{}})
		})
		if got, _, err := db.Activations(t.Context(), store.ActivationFilter{ID: "A"}, store.Page{Limit: 5}); err != nil || len(got) != 1 || got[0].Tags != nil {
			t.Errorf("Activations = %+v, %v; want one without the tags of the deleted one", got, err)
		}
	})
}

// A quota that used and expired codes, which cannot be deleted, filled for ever would end all
// registrations.
func TestOnlyUsableActivationsCount(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		base := orderly.Activation{Account: account, Region: region, CodeHash: bytes.Repeat([]byte{1}, 32), Count: 2, TTL: time.Hour, Created: db.Now()}
		for id, edit := range map[string]func(*orderly.Activation){
			"usable": func(*orderly.Activation) {}, "disabled": func(a *orderly.Activation) { a.Disabled = true },
			"used up": func(a *orderly.Activation) { a.Registered = 2 }, "expired": func(a *orderly.Activation) { a.Created = a.Created.Add(-2 * time.Hour) },
			"foreign": func(a *orderly.Activation) { a.Account = "2" },
		} {
			a := base
			a.ID, a.Seq = id, db.NextSeq()
			edit(&a)
			change(t, db, func(tx *store.Tx) error { return tx.AddActivation(a) })
		}
		change(t, db, func(tx *store.Tx) error {
			n, err := tx.CountActivations(account, region)
			if n != 1 {
				t.Errorf("CountActivations = %d, want 1", n)
			}
			return err
		})
	})
}

func TestCommandIsFoundByEveryFilter(t *testing.T) { // DC-1
	each(t, func(t *testing.T, db *store.DB) {
		add := func(id, name string, kept bool) orderly.Command {
			c := orderly.Command{Seq: db.NextSeq(), ID: id, Account: account, Region: region, Name: name, Description: "about " + name,
				Type: orderly.RunShellScript, Content: []byte{0, 'x', 255}, WorkingDir: "/w", Timeout: 90 * time.Second, EnableParameter: true,
				ResourceGroup: "rg-" + id, Tags: []orderly.Tag{{Key: "id", Value: id}}, Kept: kept, Created: db.Now()}
			change(t, db, func(tx *store.Tx) error { return tx.AddCommand(c) })
			return c
		}
		one := add("c-1", "Restart web%_", true)
		add("c-2", "restart WEB", true)
		add("c-3", "Restart web%_", false) // not kept: not listed (KEEP-1)
		add("c-4", "ümläut wé", true)
		for _, c := range []struct {
			filter store.CommandFilter
			want   []string
		}{
			{store.CommandFilter{}, []string{"c-4", "c-2", "c-1"}},
			{store.CommandFilter{ID: "c-1"}, []string{"c-1"}},
			{store.CommandFilter{ID: "c-3"}, nil},
			{store.CommandFilter{Name: "restart WEB"}, []string{"c-2"}},
			{store.CommandFilter{Name: "restart web"}, nil},
			{store.CommandFilter{Name: "Restart*"}, []string{"c-1"}},
			{store.CommandFilter{Name: "*WEB"}, []string{"c-2"}},
			{store.CommandFilter{Name: "*art*"}, []string{"c-2", "c-1"}},
			{store.CommandFilter{Name: "*web*"}, []string{"c-1"}},
			{store.CommandFilter{Name: "*%_"}, []string{"c-1"}},
			{store.CommandFilter{Name: "*%*"}, []string{"c-1"}},
			{store.CommandFilter{Name: "ümlä*"}, []string{"c-4"}},
			{store.CommandFilter{Name: "*wé"}, []string{"c-4"}},
			{store.CommandFilter{Name: "*a longer text than any name there is*"}, nil},
			{store.CommandFilter{Name: "*much longer than any of the names is*WEB"}, nil},
			{store.CommandFilter{Name: "*"}, []string{"c-4", "c-2", "c-1"}},
			{store.CommandFilter{Description: "about r*"}, []string{"c-2"}},
			{store.CommandFilter{Type: "RunBatScript"}, nil},
			{store.CommandFilter{ResourceGroup: "rg-c-2"}, []string{"c-2"}},
			{store.CommandFilter{Tags: []orderly.Tag{{Key: "id", Value: "c-4"}}}, []string{"c-4"}},
		} {
			c.filter.Account, c.filter.Region = account, region
			list, total, err := db.Commands(t.Context(), c.filter, store.Page{Limit: 10})
			must(t, err)
			var got []string
			for _, l := range list {
				got = append(got, l.ID)
			}
			if !slices.Equal(got, c.want) || total != len(c.want) {
				t.Errorf("%+v: %v (%d), want %v", c.filter, got, total, c.want)
			}
		}
		list, _, err := db.Commands(t.Context(), store.CommandFilter{Account: account, Region: region, ID: "c-1"}, store.Page{Limit: 1})
		must(t, err)
		if d := cmp.Diff([]orderly.Command{one}, list); d != "" {
			t.Errorf("Commands (-want +got)\n%s", d)
		}
	})
}
