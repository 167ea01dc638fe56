package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/orderly-run/orderly"
)

// A Kind is a sort of resource that carries tags.
type Kind string

// The kinds.
const (
	TaggedInstance   Kind = "instance"
	TaggedCommand    Kind = "command"
	TaggedInvocation Kind = "invocation"
	TaggedActivation Kind = "activation"
)

// A shelf is where the resources of a kind are.
type shelf struct {
	table string
	there string // which of its rows callers know of
	apart bool   // in realms
}

var shelves = map[Kind]shelf{
	TaggedInstance:   {"instances", "deregistered = 0", false},
	TaggedCommand:    {"commands", "kept = 1", true},
	TaggedInvocation: {"invocations", "building = 0", true},
	TaggedActivation: {"activations", "1 = 1", false},
}

// Resources are things of one kind of an account in a region, and in a realm if they are apart in those.
// Without IDs they are all that there are.
type Resources struct {
	Account, Realm, Region string
	Kind                   Kind
	IDs                    []string
}

// shelf is what stands in the column region of these.
func (r Resources) shelf() string {
	if shelves[r.Kind].apart {
		return shelved(r.Realm, r.Region)
	}
	return r.Region
}

func (r Resources) where() where {
	var w where
	w.add("account = ?", r.Account)
	w.add("region = ?", r.shelf())
	w.add(shelves[r.Kind].there)
	if len(r.IDs) > 0 {
		w.in("id", r.IDs)
	}
	return w
}

// CountResources counts those that exist.
func (db *DB) CountResources(ctx context.Context, r Resources) (n int, err error) {
	w := r.where()
	return n, db.reads.QueryRowContext(ctx, `select count(*) from `+shelves[r.Kind].table+w.String(), w.args...).Scan(&n)
}

// TagsOf finds the tags of those resources that exist, by ID, for a change.
func (t *Tx) TagsOf(r Resources) (map[string][]orderly.Tag, error) {
	w := r.where()
	rows, err := t.query(`select id from `+shelves[r.Kind].table+w.String()+` order by seq`+t.db.dialect.forUpdate, w.args...)
	ids, err := collect(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	q, args := tagQuery(r.Kind, ids)
	rows, err = t.query(q, args...)
	tags, err := collectTags(rows, err)
	found := make(map[string][]orderly.Tag, len(ids))
	for _, id := range ids {
		found[id] = tags[id]
	}
	return found, err
}

// SetTags gives each of the resources, which exist, the tags; one with such a key gets the new value.
func (t *Tx) SetTags(r Resources, tags []orderly.Tag) error {
	var rows [][]any
	for _, id := range r.IDs {
		for _, g := range tags {
			rows = append(rows, []any{r.Kind, id, g.Key, g.Value, r.Account, r.shelf()})
		}
	}
	return t.each(addTag+` on conflict (kind, resource, name) do update set value = excluded.value`, rows)
}

// DropTags takes the tags with some keys, or without keys all of them, from each of the resources.
func (t *Tx) DropTags(r Resources, keys []string) error {
	var rows [][]any
	for _, id := range r.IDs {
		if len(keys) == 0 {
			rows = append(rows, []any{r.Kind, id})
		}
		for _, k := range keys {
			rows = append(rows, []any{r.Kind, id, k})
		}
	}
	q := `delete from tags where kind = $1 and resource = $2`
	if len(keys) > 0 {
		q += ` and name = $3`
	}
	err := t.each(q, rows)
	return err
}

// A TagPattern is what a tag must be like. Without Values any value will do, else it must be one of
// them. With Wild, the values, or the key when there are none, may begin or end with *.
type TagPattern struct {
	Key    string
	Values []string
	Wild   bool
}

// cond is the condition that a resource carries a tag like p.
func (p TagPattern) cond(kind Kind, resource string) (cond string, args []any) {
	keyCond, keyArgs := like("g.name", p.Key, p.Wild && len(p.Values) == 0)
	conds, args := []string{"g.kind = ?", "g.resource = " + resource, keyCond}, append([]any{kind}, keyArgs...)
	var either []string
	for _, v := range p.Values {
		c, a := like("g.value", v, p.Wild)
		either, args = append(either, c), append(args, a...)
	}
	if len(either) > 0 {
		conds = append(conds, "("+strings.Join(either, " or ")+")")
	}
	return "exists (select 1 from tags g where " + strings.Join(conds, " and ") + ")", args
}

// like is the condition that a column is some text or, when that is wild, like it.
func like(column, text string, wild bool) (cond string, args []any) {
	if !wild {
		return column + " = ?", []any{text}
	}
	if cond, args = wildcard(column, text); cond == "" {
		return "1 = 1", nil
	}
	return "(" + cond + ")", args
}

// A TagFilter says which resources to list: those that carry a tag like each pattern.
type TagFilter struct {
	Resources
	Patterns []TagPattern
}

// A Tagged is a resource with its tags.
type Tagged struct {
	Seq  int64
	ID   string
	Tags []orderly.Tag
}

// Tagged lists resources that carry tags, newest first, each with all of its tags in the order of
// their keys.
func (db *DB) Tagged(ctx context.Context, f TagFilter, p Page) ([]Tagged, error) {
	s, w := shelves[f.Kind], f.where()
	patterns := f.Patterns
	if len(patterns) == 0 {
		patterns = []TagPattern{{Key: "*", Wild: true}}
	}
	for _, p := range patterns {
		cond, args := p.cond(f.Kind, s.table+".id")
		w.add(cond, args...)
	}
	rows, err := db.page(ctx, `select seq, id from `+s.table, "seq", w, p)
	list, err := collect(rows, err, func(r *sql.Rows) (g Tagged, err error) { return g, r.Scan(&g.Seq, &g.ID) })
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	tags, err := db.tagsOf(ctx, f.Kind, ids)
	for i := range list {
		list[i].Tags = tags[list[i].ID]
	}
	return list, err
}
