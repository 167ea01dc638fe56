package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// pageSize is how many rows a list shows.
const pageSize = 50

// A query is what a list is asked for, as it stands in its URL.
type query struct {
	path   string
	values url.Values
}

func (v *visit) query() query { return query{v.URL.Path, v.URL.Query()} }

// With is the URL of the same list from its start with one parameter set, or left out for "".
func (q query) With(name, value string) string {
	return q.change(func(u url.Values) {
		if u.Del(name); value != "" && name != "" {
			u.Set(name, value)
		}
	})
}

// Plus is the URL with one more value of a parameter, Minus the one without it.
func (q query) Plus(name, value string) string {
	return q.change(func(u url.Values) {
		if !slices.Contains(u[name], value) {
			u.Add(name, value)
		}
	})
}

// Minus is the URL without one value of a parameter.
func (q query) Minus(name, value string) string {
	return q.change(func(u url.Values) {
		u[name] = slices.DeleteFunc(slices.Clone(u[name]), func(s string) bool { return s == value })
	})
}

// After is the URL of the rows after a place.
func (q query) After(place int64) string {
	return q.change(func(u url.Values) { u.Set("after", strconv.FormatInt(place, 10)) })
}

func (q query) change(f func(url.Values)) string {
	u := url.Values{}
	for name, list := range q.values {
		u[name] = slices.Clone(list)
	}
	u.Del("after")
	f(u)
	if text := u.Encode(); text != "" {
		return q.path + "?" + text
	}
	return q.path
}

// Tail is what stands behind the path of the list as it is, "" for nothing.
func (q query) Tail() string {
	if text := q.values.Encode(); text != "" {
		return "?" + text
	}
	return ""
}

// Get is the first value of a parameter.
func (q query) Get(name string) string { return q.values.Get(name) }

// All is all its values.
func (q query) All(name string) []string { return q.values[name] }

// Deep reports whether the list does not begin with its first row.
func (q query) Deep() bool { return q.values.Get("after") != "" }

// after is the place of the row before the first that is asked for; what is no number is the start.
func (q query) after() int64 {
	n, err := strconv.ParseInt(q.values.Get("after"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// tags reads texts of the form key=value.
func tags(texts []string) (list []orderly.Tag) {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			k, value, _ := strings.Cut(t, "=")
			list = append(list, orderly.Tag{Key: strings.TrimSpace(k), Value: strings.TrimSpace(value)})
		}
	}
	return list
}

// presenceShown is how far back the chart of who was online goes.
const presenceShown = 24 * time.Hour

type fleetBody struct {
	Query    query
	Machines []orderly.Instance
	Total    int
	Next     int64 // 0 when these are the last
	Now      store.Census
	Chart    chart
	Tags     []store.TagCount
}

func (c *Console) fleetPage(v *visit) error {
	q := v.query()
	f := store.InstanceFilter{Region: v.region, Search: strings.TrimSpace(q.Get("q")), OS: q.Get("os"), Tags: tags(q.All("tag")), WithoutActive: true}
	if s := q.Get("state"); s == "online" || s == "offline" {
		on := s == "online"
		f.Connected = &on
	}
	b := fleetBody{Query: q}
	var err error
	if b.Machines, b.Total, err = c.cfg.Fleet.Instances(v.Context(), v.caller, f, store.Page{Limit: pageSize + 1, After: store.Place{Seq: q.after()}}); err != nil {
		return err
	}
	if len(b.Machines) > pageSize {
		b.Machines = b.Machines[:pageSize]
		b.Next = b.Machines[pageSize-1].Seq
	}
	list, err := c.cfg.Fleet.Censuses(v.Context(), v.caller, v.region, presenceShown)
	if err != nil {
		return err
	}
	b.Now, b.Chart = list[len(list)-1], presence(list, presenceShown)
	if b.Tags, err = c.cfg.Fleet.TagsInUse(v.Context(), v.caller, v.region, 20); err != nil {
		return err
	}
	return c.show(v, http.StatusOK, "fleet", &frame{Title: "Fleet", Nav: "fleet", Same: sameFleet(v.region, f)}, b)
}

type machineBody struct {
	Machine orderly.Instance
	Runs    []ran
}

// A ran is an invocation with the task of one machine in it.
type ran struct {
	orderly.Invocation
	Task orderly.Task
}

// machine finds the one that a visit is about.
func (c *Console) machine(v *visit) (orderly.Instance, error) {
	list, _, err := c.cfg.Fleet.Instances(v.Context(), v.caller, store.InstanceFilter{Region: v.region, IDs: []string{v.PathValue("id")}}, store.Page{Limit: 1})
	if err == nil && len(list) == 0 {
		err = orderly.InstanceUnknown
	}
	if err != nil {
		return orderly.Instance{}, err
	}
	return list[0], nil
}

func (c *Console) machinePage(v *visit) error { return c.showMachine(v, http.StatusOK, "") }

func (c *Console) showMachine(v *visit, status int, problem string) error {
	m, err := c.machine(v)
	if err != nil {
		return err
	}
	const runs = 10
	list, _, err := c.cfg.Engine.Invocations(v.Context(), v.caller, store.InvocationFilter{Region: v.region, Instance: m.ID}, store.Page{Limit: runs})
	if err != nil {
		return err
	}
	tasks, err := c.cfg.Engine.TasksOf(v.Context(), list, m.ID, false)
	if err != nil {
		return err
	}
	b := machineBody{Machine: m}
	for _, i := range list {
		for _, t := range tasks[i.Seq] {
			b.Runs = append(b.Runs, ran{i, t})
		}
	}
	return c.show(v, status, "machine", &frame{Title: m.Name, Nav: "fleet", Error: problem, Same: sameMachine(v.region, m.ID)}, b)
}

// again shows a machine's page after a change of it: anew, or with what is wrong with the change.
func (c *Console) again(v *visit, err error) error {
	if text, ok := refusal(err); ok {
		if err := c.showMachine(v, http.StatusUnprocessableEntity, text); err != nil {
			return err
		}
		return answered{err}
	}
	if err != nil {
		return err
	}
	return v.to(v.in("fleet", v.PathValue("id")))
}

func (c *Console) rename(v *visit) error {
	return c.again(v, c.cfg.Fleet.Rename(v.Context(), v.caller, v.region, v.PathValue("id"), strings.TrimSpace(v.PostFormValue("name"))))
}

// instances are machines as what carries tags.
func (v *visit) instances(ids ...string) store.Resources {
	return store.Resources{Region: v.region, Kind: store.TaggedInstance, IDs: ids}
}

func (c *Console) tag(v *visit) error {
	t := orderly.Tag{Key: strings.TrimSpace(v.PostFormValue("tagkey")), Value: strings.TrimSpace(v.PostFormValue("value"))}
	return c.again(v, c.cfg.Fleet.Tag(v.Context(), v.caller, v.instances(v.PathValue("id")), []orderly.Tag{t}))
}

func (c *Console) untag(v *visit) error {
	return c.again(v, c.cfg.Fleet.Untag(v.Context(), v.caller, v.instances(v.PathValue("id")), []string{v.PostFormValue("tagkey")}))
}

func (c *Console) removePage(v *visit) error {
	m, err := c.machine(v)
	if err != nil {
		return err
	}
	return c.show(v, http.StatusOK, "confirm", &frame{Title: "Remove " + m.Name, Nav: "fleet", Same: sameRemove(v.region, m.ID)}, confirm{
		Question: "Remove " + m.Name + " (" + m.ID + ") from the fleet?",
		Facts: []string{
			"Its agent is cut off at once and cannot come back with this identity; to return, the machine registers anew.",
			plural(m.Active, "task") + " running on it now, and all that wait for it, end as failed.",
			"What ran on it before stays in the list of invocations.",
		},
		Verb: "Remove the machine", Danger: true, Back: v.in("fleet", m.ID),
	})
}

// A confirm asks before something is done.
type confirm struct {
	Question string
	About    string // what it is asked about, when that is too long for a question
	Facts    []string
	Verb     string
	Danger   bool
	Back     string
	Option   string // what may be chosen with it
	Token    string // makes the second of two equal requests the same as the first
}

func (c *Console) remove(v *visit) error {
	if _, err := c.cfg.Fleet.Deregister(v.Context(), v.caller, v.region, v.PathValue("id"), engine.Repetition{Operation: "DeregisterManagedInstance"}); err != nil {
		return err
	}
	return v.to(v.in("fleet"))
}
