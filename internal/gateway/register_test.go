package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// post registers over HTTP as a machine at an address.
func (c *cell) post(body string) (int, []byte) {
	q := httptest.NewRequest(http.MethodPost, "http://orderly.example:8321"+wire.RegisterPath, strings.NewReader(body))
	q.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	c.gate.ServeHTTP(w, q)
	return w.Code, w.Body.Bytes()
}

func registration(id, code, key string) string {
	return string(wire.Encode(wire.Registration{ActivationID: id, ActivationCode: code, PublicKey: key, Hostname: "web-01", OS: "linux", AgentVersion: "1", IntranetIP: "10.0.0.5"}))
}

func TestMachineRegistersOnce(t *testing.T) { // MI-2, MI-5
	each(t, func(t *testing.T, url string) {
		c := start(t, url, true)
		body := registration(c.code[0], c.code[1], public(t, user(t)))
		status, text := c.post(body)
		if status != http.StatusOK {
			t.Fatalf("status %d %s, want 200", status, text)
		}
		first, err := wire.Decode[wire.Registered](text)
		must(t, err)
		if !strings.HasPrefix(first.InstanceID, "mi-") || first.NATS != "tls://orderly.example:"+c.port || first.Name != "web-01" || first.Region != region {
			t.Errorf("answer %+v, want an instance, and the bus where the machine found the server", first)
		}
		_, text = c.post(body) // the answer was lost
		again, err := wire.Decode[wire.Registered](text)
		must(t, err)
		if again.InstanceID != first.InstanceID {
			t.Errorf("repeated registration got %s, want %s again", again.InstanceID, first.InstanceID)
		}
		list, _, err := c.fleet.Activations(t.Context(), caller, store.ActivationFilter{Region: region}, store.Page{Limit: 1})
		must(t, err)
		if list[0].Registered != 1 {
			t.Errorf("the code was used %d times, want once", list[0].Registered)
		}
	})
}

func TestRefusedRegistrations(t *testing.T) {
	c := start(t, t.TempDir()+"/orderly.db", false)
	key := public(t, user(t))
	disabled, code, err := c.fleet.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{})
	must(t, err)
	_, err = c.fleet.DisableActivation(t.Context(), caller, region, disabled)
	must(t, err)
	elsewhere, code2, err := c.fleet.CreateActivation(t.Context(), caller, orderly.Activation{Region: region, AddressRange: "198.51.100.0/24"}, engine.Repetition{})
	must(t, err)
	for name, k := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"no JSON":         {"x", 400, "RegistrationMalformed"},
		"nothing":         {"{}", 400, "RegistrationMalformed"},
		"too large":       {`{"name":"` + strings.Repeat("x", 70_000) + `"}`, 400, "RegistrationMalformed"},
		"no key":          {registration(c.code[0], c.code[1], "UX"), 400, "RegistrationMalformed"},
		"wrong code":      {registration(c.code[0], "a-hz0guess", key), 403, "ActivationRefused"},
		"unknown ID":      {registration("X", c.code[1], key), 403, "ActivationRefused"},
		"disabled":        {registration(disabled, code, key), 403, "ActivationDisabled"},
		"another address": {registration(elsewhere, code2, key), 403, "ActivationAddressRefused"},
	} {
		status, text := c.post(k.body)
		p, err := wire.Decode[wire.Problem](text)
		must(t, err)
		if status != k.status || p.Code != k.code || p.Message == "" {
			t.Errorf("%s: %d %+v, want %d %s", name, status, p, k.status, k.code)
		}
	}
	if _, n, err := c.fleet.Instances(t.Context(), caller, store.InstanceFilter{Region: region}, store.Page{Limit: 1}); err != nil || n != 0 {
		t.Errorf("%d instances (%v) after refused registrations, want none", n, err)
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add([]byte(registration("id", "code", "key")))
	f.Add([]byte(`{"tags":[{"k":"a","v":"b"}],"os":"linux"}`))
	f.Add([]byte(`[`))
	c := start(f, f.TempDir()+"/orderly.db", false)
	f.Add([]byte(registration(c.code[0], c.code[1], public(f, user(f)))))
	f.Fuzz(func(t *testing.T, body []byte) {
		q := httptest.NewRequest(http.MethodPost, wire.RegisterPath, bytes.NewReader(body))
		w := httptest.NewRecorder()
		c.gate.ServeHTTP(w, q)
		if w.Code == http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Errorf("status %d, body %s: want a problem in JSON that is not ours", w.Code, w.Body)
		}
	})
}
