package stage_test

import (
	"os"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

func TestMain(m *testing.M) { os.Exit(stage.Main(m)) }

// The stage itself works: both databases, TLS, and lives that end and begin again.
func TestStage(t *testing.T) {
	for _, db := range stage.Databases {
		t.Run(string(db), func(t *testing.T) {
			s := stage.Open(t, stage.Options{Database: db, TLS: db == stage.PostgreSQL, Scale: 10})
			agents := s.Agents("one", "two")
			hello := func() {
				t.Helper()
				v := s.Run("echo hello", agents...)
				if v.InvocationStatus != "Success" || len(v.InvokeInstances.InvokeInstance) != 2 {
					t.Fatalf("run on both: %+v", v)
				}
				for _, on := range v.InvokeInstances.InvokeInstance {
					if on.Output != "hello\n" {
						t.Errorf("output on %s = %q", on.InstanceId, on.Output)
					}
				}
			}
			hello()
			agents[0].Kill()
			agents[0].Start()
			hello()
			before := agents[1].Welcomes()
			s.Kill()
			s.Start()
			agents[1].AwaitWelcome(before)
			hello()
			if n := s.Metric("orderly_links"); n != 2 {
				t.Errorf("links = %v, want 2", n)
			}
		})
	}
}
