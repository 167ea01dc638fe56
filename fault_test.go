package orderly_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// catalogue is the table as testdata/error-codes.tsv writes it.
func catalogue() string {
	var b strings.Builder
	for _, f := range orderly.Faults {
		states, older := string(f.State), f.OldInfo
		if older == "" {
			older = "> " + string(f.Old)
		}
		if f.OldError != "" {
			states += "/Error"
			older += fmt.Sprintf(" (after start: %s)", f.OldError)
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", f.Code, states, f.Info, older)
	}
	return b.String()
}

// Semantics 10.1, EC-1: every code with both wordings, as the texts have them.
func TestErrorCodesAreThePublishedOnes(t *testing.T) {
	text, err := os.ReadFile("testdata/error-codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			want.WriteString(line)
		}
	}
	if diff := cmp.Diff(want.String(), catalogue()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Semantics 10.1: a sentence that a client sees has nothing to fill in, and says one thing only.
func TestErrorCodesHaveSentences(t *testing.T) {
	seen := map[string]orderly.ErrorCode{}
	for _, f := range orderly.Faults {
		info := f.Code.Info()
		if info == "" || strings.ContainsAny(info, "{}") || strings.HasSuffix(info, ".") || seen[info] != "" {
			t.Errorf("%s says %q, which is also that of %q", f.Code, info, seen[info])
		}
		seen[info] = f.Code
	}
	if got := orderly.ErrorCode("").Info(); got != "" {
		t.Errorf("no error says %q", got)
	}
	if got, want := orderly.ErrorCode("OfANewerAgent").Info(), orderly.ExecutionException.Info(); got != want {
		t.Errorf("an unknown code says %q, want %q", got, want)
	}
}

// EC-1: where the older codes count, only those that have an older sentence are shown.
func TestOlderErrorCodes(t *testing.T) {
	for _, f := range orderly.Faults {
		for _, s := range orderly.States {
			code, info := f.Code.Older(s)
			if again, same := code.Older(s); again != code || same != info || info == "" {
				t.Errorf("%s in state %s is shown as %s, %q, and that as %s, %q", f.Code, s, code, info, again, same)
			}
		}
	}
	for _, tt := range []struct {
		code  orderly.ErrorCode
		state orderly.State
		want  orderly.ErrorCode
		info  string
	}{
		{"", orderly.Success, "", ""},
		{orderly.ExitCodeNonzero, orderly.Failed, orderly.ExitCodeNonzero, "the command execution exit code is not zero"},
		{orderly.ClientRestarted, orderly.Error, orderly.ExecutionInterrupted, "the command execution has been interrupted"},
		{orderly.SecurityGroupRuleDenied, orderly.Aborted, orderly.ClientNotResponse, "the aliyun service in the instance does not response"},
		{orderly.InstanceDeregistered, orderly.Aborted, orderly.InstanceNotExists, "the specified instance does not exists"},
		{orderly.InstanceDeregistered, orderly.Error, orderly.InstanceReleased, "the instance has released when create task"},
		{"OfANewerAgent", orderly.Error, orderly.ExecutionException, "the command execution got an exception"},
	} {
		if code, info := tt.code.Older(tt.state); code != tt.want || info != tt.info {
			t.Errorf("%q in state %s is shown as %s, %q, want %s, %q", tt.code, tt.state, code, info, tt.want, tt.info)
		}
	}
}

func TestErrorCodesDocument(t *testing.T) {
	var got bytes.Buffer
	if err := orderly.PrintErrorCodes(&got); err != nil {
		t.Fatal(err)
	}
	const file = "docs/error-codes.md"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: make error-codes", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is not what the table says; write it with: make error-codes\n%s", file, diff)
	}
}
