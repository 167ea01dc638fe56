package fleet_test

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/store"
)

func TestActivationIsChecked(t *testing.T) { // MI-1
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			a    orderly.Activation
			want orderly.Reason
		}{
			"TTL":         {orderly.Activation{Region: region, TTL: 5 * time.Hour}, orderly.ActivationTTLInvalid},
			"count":       {orderly.Activation{Region: region, Count: 1001}, orderly.ActivationCountInvalid},
			"description": {orderly.Activation{Region: region, Description: strings.Repeat("d", 101)}, orderly.ActivationDescTooLong},
			"prefix":      {orderly.Activation{Region: region, NamePrefix: "1a"}, orderly.InstanceNameInvalid},
			"long prefix": {orderly.Activation{Region: region, NamePrefix: strings.Repeat("a", 51)}, orderly.InstanceNameTooLong},
			"range":       {orderly.Activation{Region: region, AddressRange: "10.0.0.0/33"}, orderly.AddressRangeInvalid},
			"tags":        {orderly.Activation{Region: region, Tags: []orderly.Tag{{Key: "acs:x"}}}, orderly.TagKeyMalformed},
			"region":      {orderly.Activation{Region: "nowhere"}, orderly.RegionUnknown},
		} {
			if _, _, err := h.CreateActivation(t.Context(), caller, c.a, engine.Repetition{}); !errors.Is(err, c.want) {
				t.Errorf("%s: CreateActivation = %v, want %v", name, err, c.want)
			}
		}
		id, code := h.activate(orderly.Activation{})
		if a := h.activation(id); a.TTL != 4*time.Hour || a.Count != 10 || !strings.HasPrefix(code, "a-hz0") || len(code) < 30 {
			t.Errorf("activation = %+v with code %q, want the defaults", a, code)
		}
	})
}

func TestCodeIsShownToItsCallerOnly(t *testing.T) { // ID-3, TOK-1
	each(t, func(t *testing.T, h *house) {
		create := func(digest byte) (id, code string, err error) {
			return h.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{Operation: "CreateActivation", Token: "t", Digest: []byte{digest}})
		}
		id, code, err := create(1)
		must(t, err)
		if id2, code2, err := create(1); err != nil || id2 != id || code2 != code {
			t.Errorf("repetition = %s, %s, %v; want %s, %s", id2, code2, err, id, code)
		}
		if _, _, err := create(2); !errors.Is(err, orderly.ClientTokenMismatch) {
			t.Errorf("other parameters = %v, want ClientTokenMismatch", err)
		}
		_, err = h.Register(t.Context(), machine(t, id, code))
		must(t, err)
		dump := h.dump()
		if strings.Contains(dump, code) || strings.Contains(dump, strings.TrimPrefix(code, "a-hz0")) {
			t.Error("the database holds the code in plain")
		}
		if !strings.Contains(dump, id) {
			t.Error("the search does not find the activation's ID either")
		}
	})
}

// dump is everything that the database keeps, as text.
func (h *house) dump() string {
	h.t.Helper()
	if !strings.HasPrefix(h.url, "postgres") {
		var all strings.Builder
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(h.url + suffix)
			must(h.t, err)
			all.Write(data)
		}
		return all.String()
	}
	db, err := sql.Open("pgx", h.url)
	must(h.t, err)
	defer func() { must(h.t, db.Close()) }()
	var text string
	must(h.t, db.QueryRowContext(h.t.Context(), `select database_to_xml(true, true, '')::text`).Scan(&text))
	return text
}

func TestActivationAdmitsWhileItWorks(t *testing.T) { // MI-2, MI-3
	each(t, func(t *testing.T, h *house) {
		refused := func(name string, r fleet.Registration, want orderly.Reason) {
			t.Helper()
			if _, err := h.Register(t.Context(), r); !errors.Is(err, want) {
				t.Errorf("%s: Register = %v, want %v", name, err, want)
			}
		}
		id, code := h.activate(orderly.Activation{Count: 1, AddressRange: "10.1.0.0/16"})
		refused("wrong code", machine(t, id, code+"x"), orderly.ActivationRefused)
		refused("wrong ID", machine(t, "x", code), orderly.ActivationRefused)
		far := machine(t, id, code)
		far.From = netip.MustParseAddr("10.2.0.1")
		refused("another network", far, orderly.ActivationAddressRefused)
		far.From = netip.MustParseAddr("::ffff:10.1.0.9")
		i, err := h.Register(t.Context(), far)
		must(t, err)
		if i.InternetIP != "10.1.0.9" {
			t.Errorf("InternetIP = %q, want 10.1.0.9", i.InternetIP)
		}
		refused("used up", machine(t, id, code), orderly.ActivationUsedUp)
		_, err = h.Deregister(t.Context(), caller, region, i.ID, engine.Repetition{})
		must(t, err)
		refused("a use is not given back", machine(t, id, code), orderly.ActivationUsedUp)
		refused("a key is used once", far, orderly.ActivationUsedUp)
		if a := h.activation(id); a.Registered != 1 || a.Deregistered != 1 {
			t.Errorf("activation = %+v, want 1 and 1", a)
		}
		if _, err := h.DeleteActivation(t.Context(), caller, region, id); !errors.Is(err, orderly.ActivationInUse) {
			t.Errorf("DeleteActivation = %v, want ActivationInUse", err)
		}

		old, code := h.activate(orderly.Activation{TTL: time.Hour})
		h.raw(`update activations set created = created - 3601000 where id = $1`, old)
		refused("expired", machine(t, old, code), orderly.ActivationExpired)

		id, code = h.activate(orderly.Activation{Tags: []orderly.Tag{{Key: "k"}}})
		before := machine(t, id, code)
		_, err = h.Register(t.Context(), before)
		must(t, err)
		for range 2 {
			a, err := h.DisableActivation(t.Context(), caller, region, id)
			if err != nil || !a.Disabled || a.Registered != 1 || len(a.Tags) != 1 {
				t.Errorf("DisableActivation = %+v, %v; want the whole activation, disabled", a, err)
			}
		}
		refused("disabled", machine(t, id, code), orderly.ActivationDisabled)
		_, err = h.Register(t.Context(), before) // the answer had been lost
		must(t, err)
		for name, f := range map[string]func(context.Context, orderly.Caller, string, string) (orderly.Activation, error){"Disable": h.DisableActivation, "Delete": h.DeleteActivation} {
			for _, c := range []struct {
				by         orderly.Caller
				region, id string
				want       orderly.Reason
			}{{stranger, region, id, orderly.ActivationUnknown}, {caller, region, "x", orderly.ActivationUnknown}, {caller, "x", id, orderly.RegionUnknown}} {
				if _, err := f(t.Context(), c.by, c.region, c.id); !errors.Is(err, c.want) {
					t.Errorf("%sActivation(%s, %s) = %v, want %v", name, c.region, c.id, err, c.want)
				}
			}
		}
		a, err := h.DeleteActivation(t.Context(), caller, region, old)
		if err != nil || a.ID != old {
			t.Errorf("DeleteActivation = %+v, %v; want what was deleted", a, err)
		}
	})
}

func TestCodesAreLimitedByQuota(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var last string
		for range 10 {
			last, _ = h.activate(orderly.Activation{})
		}
		if _, _, err := h.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{}); !errors.Is(err, orderly.ActivationQuota) {
			t.Errorf("the eleventh = %v, want ActivationQuota", err)
		}
		_, err := h.DisableActivation(t.Context(), caller, region, last)
		must(t, err)
		h.activate(orderly.Activation{})
	})
}

// However many ask at once, no one gets more codes than the quota allows.
func TestCodesAreLimitedForAllAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddAccount(caller.Account) }))
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, _, err := h.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{}); err != nil && !errors.Is(err, orderly.ActivationQuota) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, n, err := h.Activations(t.Context(), caller, store.ActivationFilter{Region: region}, store.Page{Limit: 1})
		if err != nil || n != 10 {
			t.Errorf("%d codes, %v; want 10", n, err)
		}
	})
}

// Where an operator allows less than the usual, that is what a code is made for.
func TestCodesAreMadeForWhatIsAllowed(t *testing.T) { // MI-1
	each(t, func(t *testing.T, h *house) {
		small := fleet.New(h.db, h.engine, fleet.Config{Activation: orderly.ActivationLimits{Hours: 2, Instances: 3}})
		id, _, err := small.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{})
		must(t, err)
		if a := h.activation(id); a.TTL != 2*time.Hour || a.Count != 3 {
			t.Errorf("activation for %v and %d machines, want 2 h and 3", a.TTL, a.Count)
		}
	})
}
