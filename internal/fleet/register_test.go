package fleet_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

func TestRegistrationIsIdempotent(t *testing.T) { // MI-5
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{Count: 2, NamePrefix: "web", ResourceGroup: "rg-1"})
		r := machine(t, id, code)
		r.Instance.Tags = []orderly.Tag{{Key: "rack", Value: "7"}}
		first, err := h.Register(t.Context(), r)
		must(t, err)
		again, err := h.Register(t.Context(), r)
		if err != nil || again.ID != first.ID || h.activation(id).Registered != 1 {
			t.Errorf("again = %s, %v after %d uses; want %s after 1", again.ID, err, h.activation(id).Registered, first.ID)
		}
		list, total, err := h.Instances(t.Context(), caller, store.InstanceFilter{Region: region}, store.Page{Limit: 10})
		must(t, err)
		if total != 1 {
			t.Fatalf("%d instances, want 1", total)
		}
		if i := list[0]; i.Name != "web-1" || i.ResourceGroup != "rg-1" || i.MachineID == "" || len(i.MachineID) > 36 || i.Account != caller.Account ||
			cmp.Diff(r.Instance.Tags, i.Tags) != "" || h.Connected(i) { // HB-1: its agent was not heard of
			t.Errorf("instance = %+v, want what it said of itself and the code's group, and not connected", i)
		}
		other, code := h.activate(orderly.Activation{})
		r.ActivationID, r.ActivationCode = other, code
		if _, err := h.Register(t.Context(), r); !errors.Is(err, orderly.RegistrationMalformed) {
			t.Errorf("its key with another code = %v, want RegistrationMalformed", err)
		}
	})
}

func TestNamesFollowTheCode(t *testing.T) { // MI-4
	each(t, func(t *testing.T, h *house) {
		prefixed, code := h.activate(orderly.Activation{Count: 100, NamePrefix: "web"})
		plain, plainCode := h.activate(orderly.Activation{})
		for _, c := range []struct{ id, code, given, want string }{
			{prefixed, code, "", "web-001"}, {prefixed, code, "mine", "mine"}, {prefixed, code, "", "web-003"}, {plain, plainCode, "", "host"}, {plain, plainCode, "own", "own"},
		} {
			r := machine(t, c.id, c.code)
			r.Instance.Name = c.given
			i, err := h.Register(t.Context(), r)
			if err != nil || i.Name != c.want {
				t.Errorf("Register asking for %q = %q, %v; want %q", c.given, i.Name, err, c.want)
			}
		}
	})
}

func TestConcurrentRegistrationsUseACodeUp(t *testing.T) { // MI-2
	each(t, func(t *testing.T, h *house) {
		const uses = 5
		id, code := h.activate(orderly.Activation{Count: uses, NamePrefix: "web"})
		var wg sync.WaitGroup
		var mu sync.Mutex
		found := map[string]bool{}
		for range 4 * uses {
			r := machine(t, id, code)
			wg.Go(func() {
				i, err := h.Register(t.Context(), r)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					found[i.Name] = true
				} else if !errors.Is(err, orderly.ActivationUsedUp) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, total, err := h.Instances(t.Context(), caller, store.InstanceFilter{Region: region}, store.Page{Limit: 1})
		must(t, err)
		if a := h.activation(id); len(found) != uses || total != uses || a.Registered != uses {
			t.Errorf("%d names, %d instances, %d uses; want %d of each", len(found), total, a.Registered, uses)
		}
	})
}

func TestMalformedRegistrationIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		for name, edit := range map[string]func(*orderly.Instance){
			"no key":          func(i *orderly.Instance) { i.PublicKey = "" },
			"an account key":  func(i *orderly.Instance) { i.PublicKey = "A" + i.PublicKey[1:] },
			"os":              func(i *orderly.Instance) { i.OS = "plan9" },
			"long machine":    func(i *orderly.Instance) { i.MachineID = strings.Repeat("m", 37) },
			"control":         func(i *orderly.Instance) { i.Hostname = "a\x00b" },
			"no text":         func(i *orderly.Instance) { i.OSVersion = "\xff" },
			"address":         func(i *orderly.Instance) { i.IntranetIP = "300.0.0.1" },
			"address's zone":  func(i *orderly.Instance) { i.IntranetIP = "fe80::1%\x00" },
			"name":            func(i *orderly.Instance) { i.Name = "1" },
			"a reserved tag":  func(i *orderly.Instance) { i.Tags = []orderly.Tag{{Key: orderly.AllTag}} },
			"a tag like ours": func(i *orderly.Instance) { i.Tags = []orderly.Tag{{Key: "acs:x"}} },
		} {
			r := machine(t, id, code)
			edit(&r.Instance)
			_, err := h.Register(t.Context(), r)
			var reason orderly.Reason
			if !errors.As(err, &reason) {
				t.Errorf("%s: Register = %v, want a Reason", name, err)
			}
		}
		if a := h.activation(id); a.Registered != 0 {
			t.Errorf("%d uses, want 0", a.Registered)
		}
	})
}
