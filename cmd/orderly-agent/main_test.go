//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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
	orderly := filepath.Join(t.TempDir(), "orderly")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", orderly, "../orderly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Cmds:      conditions,
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("SITE", site.URL)
			e.Setenv("ORDERLY", orderly)
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}

// condition is whether this machine is as a script needs it.
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}
