package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// mine are resources of a kind that the account has in the region.
func mine(k store.Kind, ids ...string) store.Resources {
	return store.Resources{Account: account, Region: region, Kind: k, IDs: ids}
}

// taggedIDs lists resources by a filter, page by page.
func taggedIDs(t *testing.T, db *store.DB, f store.TagFilter) (ids []string) {
	t.Helper()
	for p := (store.Page{Limit: 2}); ; {
		list, err := db.Tagged(t.Context(), f, p)
		must(t, err)
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		if len(list) < p.Limit {
			return ids
		}
		p.After = store.Place{Seq: list[len(list)-1].Seq}
	}
}

func TestTagsAreSetListedAndDropped(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1", "mi-2", "mi-3")
		change(t, db, func(tx *store.Tx) error {
			return tx.SetTags(mine(store.TaggedInstance, "mi-1", "mi-2"), []orderly.Tag{{Key: "env", Value: "prod"}, {Key: "Team", Value: "a*b"}})
		})
		change(t, db, func(tx *store.Tx) error {
			return tx.SetTags(mine(store.TaggedInstance, "mi-2"), []orderly.Tag{{Key: "env", Value: "test"}})
		})
		var had map[string][]orderly.Tag
		change(t, db, func(tx *store.Tx) (err error) {
			had, err = tx.TagsOf(mine(store.TaggedInstance, "mi-2", "mi-3", "mi-9"))
			return err
		})
		for _, tags := range had {
			slices.SortFunc(tags, func(a, b orderly.Tag) int { return len(b.Key) - len(a.Key) })
		}
		want := map[string][]orderly.Tag{"mi-2": {{Key: "Team", Value: "a*b"}, {Key: "env", Value: "test"}}, "mi-3": nil}
		if d := cmp.Diff(want, had); d != "" {
			t.Errorf("TagsOf (-want +got)\n%s", d)
		}
		change(t, db, func(tx *store.Tx) error {
			return tx.DropTags(mine(store.TaggedInstance, "mi-1"), []string{"env", "absent"})
		})
		list, err := db.Tagged(t.Context(), store.TagFilter{Resources: mine(store.TaggedInstance, "mi-1")}, store.Page{Limit: 9})
		must(t, err)
		if len(list) != 1 || !slices.Equal(list[0].Tags, []orderly.Tag{{Key: "Team", Value: "a*b"}}) {
			t.Errorf("after a drop: %+v", list)
		}
		change(t, db, func(tx *store.Tx) error { return tx.DropTags(mine(store.TaggedInstance, "mi-1", "mi-2"), nil) })
		if ids := taggedIDs(t, db, store.TagFilter{Resources: mine(store.TaggedInstance)}); ids != nil {
			t.Errorf("after all were dropped: %v", ids)
		}
	})
}

func TestTaggedAreFoundByPatterns(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		for i := range 5 {
			id := fmt.Sprintf("mi-%d", i)
			addInstances(t, db, true, id)
			change(t, db, func(tx *store.Tx) error {
				return tx.SetTags(mine(store.TaggedInstance, id), []orderly.Tag{{Key: "n", Value: fmt.Sprint(i)}, {Key: "Env", Value: []string{"prod", "PROD", "a*b"}[i%3]}})
			})
		}
		addInstances(t, db, true, "mi-untagged", "mi-gone")
		change(t, db, func(tx *store.Tx) error {
			if err := tx.SetTags(mine(store.TaggedInstance, "mi-gone"), []orderly.Tag{{Key: "Env", Value: "prod"}}); err != nil {
				return err
			}
			return tx.Deregistered("mi-gone")
		})
		for _, c := range []struct {
			name     string
			patterns []store.TagPattern
			ids      []string
			want     []string
		}{
			{"any tag", nil, nil, []string{"mi-4", "mi-3", "mi-2", "mi-1", "mi-0"}},
			{"IDs", nil, []string{"mi-1", "mi-untagged", "mi-gone"}, []string{"mi-1"}},
			{"value, minding the case", []store.TagPattern{{Key: "Env", Values: []string{"prod"}}}, nil, []string{"mi-3", "mi-0"}},
			{"one of two values", []store.TagPattern{{Key: "Env", Values: []string{"prod", "PROD"}}}, nil, []string{"mi-4", "mi-3", "mi-1", "mi-0"}},
			{"all of two tags", []store.TagPattern{{Key: "Env", Values: []string{"prod"}}, {Key: "n", Values: []string{"3"}}}, nil, []string{"mi-3"}},
			{"key", []store.TagPattern{{Key: "n"}}, []string{"mi-0", "mi-9"}, []string{"mi-0"}},
			{"* is a character", []store.TagPattern{{Key: "Env", Values: []string{"a*"}}}, nil, nil},
			{"empty value", []store.TagPattern{{Key: "Env", Values: []string{""}}}, nil, nil},
			{"key, minding the case", []store.TagPattern{{Key: "env"}}, nil, nil},
			{"begin of a value", []store.TagPattern{{Key: "Env", Values: []string{"a*"}, Wild: true}}, nil, []string{"mi-2"}},
			{"middle or end of a value", []store.TagPattern{{Key: "Env", Values: []string{"*ro*", "*OD"}, Wild: true}}, nil, []string{"mi-4", "mi-3", "mi-1", "mi-0"}},
			{"any value", []store.TagPattern{{Key: "Env", Values: []string{"*"}, Wild: true}}, []string{"mi-0"}, []string{"mi-0"}},
			{"middle of a key", []store.TagPattern{{Key: "*n*", Wild: true}, {Key: "E*", Wild: true}}, []string{"mi-0"}, []string{"mi-0"}},
			{"key is exact beside values", []store.TagPattern{{Key: "E*", Values: []string{"prod"}, Wild: true}}, nil, nil},
		} {
			if got := taggedIDs(t, db, store.TagFilter{Resources: mine(store.TaggedInstance, c.ids...), Patterns: c.patterns}); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

// Who callers do not know of, carries no tags either: other accounts' things, other regions', and
// what is not listed.
func TestTagsAreOfWhatCallersKnow(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		addInstances(t, db, true, "mi-1")
		change(t, db, func(tx *store.Tx) error {
			for i, kept := range []bool{true, false} {
				if err := tx.AddCommand(orderly.Command{Seq: db.NextSeq(), ID: fmt.Sprintf("c-%d", i), Account: account, Region: region, Kept: kept}); err != nil {
					return err
				}
			}
			return tx.AddActivation(orderly.Activation{Seq: db.NextSeq(), ID: "A", CodeHash: []byte{1}, Account: account, Region: region})
		})
		other, elsewhere := mine(store.TaggedInstance, "mi-1"), mine(store.TaggedInstance, "mi-1")
		other.Account, elsewhere.Region = "2", "cn-beijing"
		for _, c := range []struct {
			r    store.Resources
			want int
		}{
			{mine(store.TaggedInstance, "mi-1"), 1}, {other, 0}, {elsewhere, 0}, {mine(store.TaggedCommand, "mi-1"), 0},
			{mine(store.TaggedCommand, "c-0", "c-1"), 1}, {mine(store.TaggedActivation, "A"), 1}, {mine(store.TaggedInvocation, "t-1"), 0},
		} {
			change(t, db, func(tx *store.Tx) error {
				found, err := tx.TagsOf(c.r)
				if len(found) != c.want {
					t.Errorf("TagsOf %+v = %v, want %d", c.r, found, c.want)
				}
				return err
			})
		}
	})
}

func TestCommandIsFoundByPatterns(t *testing.T) { // DC-1, MOD-1
	each(t, func(t *testing.T, db *store.DB) {
		cmd := orderly.Command{Seq: db.NextSeq(), ID: "c-1", Account: account, Region: region, Name: "old", Content: []byte("x"), Kept: true}
		change(t, db, func(tx *store.Tx) error { return tx.AddCommand(cmd) })
		cmd.Name, cmd.Description, cmd.WorkingDir, cmd.Launcher, cmd.Timeout = "50% ä_b", "two\nlines", "/srv", "sh", time.Minute
		change(t, db, func(tx *store.Tx) error { return tx.SaveCommand(cmd) })
		for pattern, want := range map[string]int{
			"50% ä_b": 1, "50*": 1, "*_b": 1, "*% ä*": 1, "*ä_b*": 1, "*50% ä_b": 1, "50% ä_b*": 1, "*": 1, "**": 1, "": 1,
			"old": 0, "50": 0, "50% Ä*": 0, "*ä": 0, "%": 0, "*%b": 0, "5_*": 0, "*x50% ä_b": 0, "50% ä_bx*": 0, "50*b": 0,
		} {
			list, total, err := db.Commands(t.Context(), store.CommandFilter{Account: account, Region: region, Name: pattern}, store.Page{Limit: 9})
			must(t, err)
			if len(list) != want || total != want {
				t.Errorf("by the name %q: %d of %d, want %d", pattern, len(list), total, want)
			} else if want == 1 {
				list[0].Created = time.Time{}
				if d := cmp.Diff(cmd, list[0]); d != "" {
					t.Errorf("by the name %q (-want +got)\n%s", pattern, d)
				}
			}
		}
	})
}
