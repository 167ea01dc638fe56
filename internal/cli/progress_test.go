package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Machines go from state to state between the requests that count them: none is shown as failed for it.
func TestCountsInventNoFailures(t *testing.T) {
	const total = 3000
	moved := 0 // of 2 × total steps: to Running, and to Success
	counts := func(state string) int {
		running := min(moved, total) - max(0, moved-total)
		return map[string]int{"": total, "Pending": total - min(moved, total), "Running": running, "Success": max(0, moved-total)}[state]
	}
	s, _, progress := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer object
		switch r.Header.Get("x-acs-action") {
		case "RunCommand":
			answer = object{"InvokeId": "t-1"}
		case "DescribeInvocations":
			status := "Running"
			if moved == 2*total {
				status = "Success"
			}
			list := make([]object, 1000)
			for i := range list {
				list[i] = object{"InstanceId": fmt.Sprint("mi-", i), "InvocationStatus": status}
			}
			answer = object{"Invocations": object{"Invocation": []object{{"InvokeId": "t-1", "InvocationStatus": status, "InvokeInstances": object{"InvokeInstance": list}}}}}
		case "DescribeInvocationResults":
			answer = object{"Invocation": object{"TotalCount": counts(r.FormValue("InvocationStatus"))}}
			moved = min(moved+500, 2*total)
		default:
			answer = names(r)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	_ = s.Run(t.Context(), onAll) // whose results are not told here
	if text := progress.String(); !strings.Contains(text, " of 3000\n") || strings.Contains(text, "failed") {
		t.Errorf("shows %q, want counts and no failure", text)
	}
}
