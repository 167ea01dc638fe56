package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/cli"
)

// A printing is what is known of the output of two machines at one moment.
type printing struct {
	one, two string
	dropped  int // of one
	status   string
}

// Lines are printed when they have ended, once each, with what is missing marked.
func TestLogsFollowWhatGrows(t *testing.T) {
	looks := []printing{
		{"first\nsec", "", 0, "Running"},
		{"first\nsecond\nthi", "a\n", 0, "Running"},
		{"late\n\x1b[2Jx", "a\nb", 40, "Running"},
		{"late\n\x1b[2Jxyz", "a\nb", 40, "Success"},
	}
	n := 0
	s, out, _ := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		row := func(id, output string, dropped int) object {
			return object{"InstanceId": id, "InvocationStatus": looks[n].status, "Output": base64.StdEncoding.EncodeToString([]byte(output)), "Dropped": dropped}
		}
		var answer object
		switch r.Header.Get("x-acs-action") {
		case "DescribeInvocations":
			answer = object{"Invocations": object{"Invocation": []object{{"InvokeId": "t-1", "InvokeInstances": object{"InvokeInstance": []object{{"InstanceId": "mi-1"}, {"InstanceId": "mi-2"}}}}}}}
		case "DescribeInvocationResults":
			answer = object{"Invocation": object{"TotalCount": 2, "InvocationResults": object{"InvocationResult": []object{row("mi-1", looks[n].one, looks[n].dropped), row("mi-2", looks[n].two, 0)}}}}
			n = min(n+1, len(looks)-1)
		default:
			answer = names(r)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	s.Terminal = true
	if err := s.Logs(t.Context(), cli.Logs{InvokeID: "t-1", Follow: true}); err != nil {
		t.Fatal(err)
	}
	want := "web-1 | first\nweb-1 | second\nweb-2 | a\nweb-1 | thi\nweb-1 | (24 bytes were not kept)\nweb-1 | late\nweb-1 | ␛[2Jxyz\nweb-2 | b\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
