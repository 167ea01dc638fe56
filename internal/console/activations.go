package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

type activationsBody struct {
	Query       query
	Activations []shownActivation
	Total       int
	Next        int64
}

// A shownActivation is one with what can be done with it.
type shownActivation struct {
	orderly.Activation
	State string // usable, used up, expired or disabled
	Until time.Time
}

// stateOf tells whether machines can still register with an activation.
func stateOf(a orderly.Activation, now time.Time) shownActivation {
	s := shownActivation{a, "usable", a.Created.Add(a.TTL)}
	switch {
	case a.Disabled:
		s.State = "disabled"
	case now.After(s.Until):
		s.State = "expired"
	case a.Registered >= a.Count:
		s.State = "used up"
	}
	return s
}

func (c *Console) activationsPage(v *visit) error {
	b := activationsBody{Query: v.query()}
	list, total, err := c.cfg.Fleet.Activations(v.Context(), v.caller, store.ActivationFilter{Region: v.region}, store.Page{Limit: pageSize + 1, After: store.Place{Seq: b.Query.after()}})
	if err != nil {
		return err
	}
	if b.Total = total; len(list) > pageSize {
		list = list[:pageSize]
		b.Next = list[pageSize-1].Seq
	}
	for _, a := range list {
		b.Activations = append(b.Activations, stateOf(a, c.cfg.Store.Now()))
	}
	return c.show(v, http.StatusOK, "activations", &frame{Title: "Activations", Nav: "activations", Same: same(v.region, []string{"activation", "list"}, "DescribeActivations")}, b)
}

// An addForm is what stands in the form for adding machines.
type addForm struct {
	Name, Description, Count, Hours, Range, Tags, Token string
}

type addBody struct {
	Form addForm

	// What was made; the code is shown this once.
	ID, Line string
	Start    string
	Arrived  []orderly.Instance
	Count    int
	Region   string
}

func (c *Console) addPage(v *visit) error {
	return c.showAdd(v, http.StatusOK, addBody{Form: addForm{Count: "1", Hours: "1", Token: rand.Text()}}, "")
}

func (c *Console) showAdd(v *visit, status int, b addBody, problem string) error {
	b.Region = v.region
	call := []string{"activation", "create", "--count", b.Form.Count, "--ttl", b.Form.Hours}
	return c.show(v, status, "add", &frame{Title: "Add machines", Nav: "fleet", Error: problem,
		Same: same(v.region, call, "CreateActivation", "InstanceCount="+b.Form.Count, "TimeToLiveInHours="+b.Form.Hours)}, b)
}

// add makes an activation and shows how to register machines with it; they appear on the page.
func (c *Console) add(v *visit) error {
	get := func(name string) string { return strings.TrimSpace(v.PostFormValue(name)) }
	b := addBody{Form: addForm{get("name"), get("description"), get("count"), get("hours"), get("range"), get("tags"), get("token")}}
	a := orderly.Activation{Region: v.region, NamePrefix: b.Form.Name, Description: b.Form.Description, AddressRange: b.Form.Range, Tags: tags(strings.FieldsFunc(b.Form.Tags, separator))}
	var err error
	if a.Count, err = strconv.Atoi(b.Form.Count); err != nil || a.Count < 1 {
		err = orderly.ActivationCountInvalid
	}
	hours, bad := strconv.Atoi(b.Form.Hours)
	if bad != nil || hours < 1 || hours > 1<<21 {
		err = orderly.ActivationTTLInvalid
	}
	a.TTL = time.Duration(hours) * time.Hour
	code := ""
	if err == nil {
		b.ID, code, err = c.cfg.Fleet.CreateActivation(v.Context(), v.caller, a, engine.Repetition{Operation: "CreateActivation", Token: b.Form.Token, Digest: []byte(v.PostForm.Encode())})
	}
	if text, ok := refusal(err); ok {
		if err := c.showAdd(v, http.StatusUnprocessableEntity, b, text); err != nil {
			return err
		}
		return answered{err}
	}
	if err != nil {
		return err
	}
	v.secret = true
	b.Count, b.Line, b.Start = a.Count, c.registerLine(v, b.ID, code), "orderly-agent run"
	return c.showAdd(v, http.StatusOK, b, "")
}

// registerLine is what to type on a machine. Machines reach the server by the name that the browser does.
func (c *Console) registerLine(v *visit, id, code string) string {
	scheme := "http://"
	if encrypted(v.Request) {
		scheme = "https://"
	}
	line := []string{"orderly-agent", "register", "--server", scheme + v.Host, "--activation-id", id, "--activation-code", code}
	if c.cfg.Fingerprint != "" && v.TLS != nil {
		line = append(line, "--ca-fingerprint", c.cfg.Fingerprint)
	}
	return words(line...)
}

// arrivals sends the machines that have registered with an activation, until they are as many as it is for.
func (c *Console) arrivals(v *visit) error {
	id := v.PathValue("id")
	return c.stream(v, func(ctx context.Context) ([]event, bool, error) {
		list, _, err := c.cfg.Fleet.Activations(ctx, v.caller, store.ActivationFilter{Region: v.region, ID: id}, store.Page{Limit: 1})
		if err == nil && len(list) == 0 {
			err = orderly.ActivationUnknown
		}
		if err != nil {
			return nil, false, err
		}
		b := addBody{ID: id, Count: list[0].Count, Region: v.region}
		if b.Arrived, _, err = c.cfg.Fleet.Instances(ctx, v.caller, store.InstanceFilter{Region: v.region, Activation: id}, store.Page{Limit: pageSize}); err != nil {
			return nil, false, err
		}
		online := 0
		for _, m := range b.Arrived {
			if c.cfg.Fleet.Connected(m) {
				online++
			}
		}
		html, err := c.part("add", "arrived", &frame{Now: c.cfg.Store.Now(), Body: b})
		over := online >= b.Count || stateOf(list[0], c.cfg.Store.Now()).State != "usable" && online >= list[0].Registered
		return []event{{"arrived", html}}, over, err
	})
}

func (c *Console) disableActivation(v *visit) error {
	if _, err := c.cfg.Fleet.DisableActivation(v.Context(), v.caller, v.region, v.PathValue("id")); err != nil {
		return err
	}
	return v.to(v.in("activations"))
}

func (c *Console) deleteActivation(v *visit) error {
	if _, err := c.cfg.Fleet.DeleteActivation(v.Context(), v.caller, v.region, v.PathValue("id")); err != nil {
		return err
	}
	return v.to(v.in("activations"))
}
