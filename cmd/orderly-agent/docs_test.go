package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/internal/agent"
)

// What the doctor says is what the documentation says.
func TestDoctorIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	for trouble, what := range agent.Troubles {
		if row := fmt.Sprintf("| %d | %s | %s |", int(trouble), what.Means, what.Next); !strings.Contains(string(text), row) {
			t.Errorf("docs/agent.md has no row %q", row)
		}
	}
	for _, trouble := range []agent.Trouble{agent.NameUnknown, agent.DiskFull} {
		if what, ok := agent.Troubles[trouble]; !ok || what.Means == "" || what.Next == "" {
			t.Errorf("trouble %d says %+v", trouble, what)
		}
	}
}
