package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"orderly-agent": main})
}

// answer registers whoever has the right code.
func answer(w http.ResponseWriter, r *http.Request) {
	var reg struct{ ActivationCode, Name string }
	if err := json.NewDecoder(r.Body).Decode(&reg); err != nil || reg.ActivationCode != "right" {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"ActivationRefused","message":"activation ID or code is wrong"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{
		"instanceId": "mi-hz0000000000001", "region": "cn-hangzhou", "name": reg.Name, "nats": "nats://127.0.0.1:1",
	})
}

// The scripts talk to a server that knows one activation code.
func TestScripts(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(site.Close) // the scripts run after this function
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SERVER", site.URL)
			return nil
		},
	})
}
