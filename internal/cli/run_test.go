package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/orderly-run/orderly/internal/cli"
)

// A service answers for one invocation on many machines, which has ended once somebody has counted
// what became of them.
type service struct {
	machines int
	late     int // results that came late, two for each of the first machines
	mu       sync.Mutex
	counted  bool
	failing  map[string]int // statuses for the next answers, by action
	ended    func()         // called before the invocation is told to have ended
}

// onAll runs something on all machines.
var onAll = cli.Run{Script: cli.Script{Line: "true"}, Targets: cli.Targets{All: true}}

type object map[string]any

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	action := r.Header.Get("x-acs-action")
	if status := s.failing[action]; status != 0 {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(object{"Code": "Forbidden", "Message": "You may not.", "RequestId": "r-1"})
		return
	}
	answers := map[string]func(*http.Request) object{
		"RunCommand": func(*http.Request) object { return object{"InvokeId": "t-1"} }, "DescribeInvocations": s.invocation,
		"DescribeInvocationResults": s.results, "DescribeManagedInstances": names, "DescribeLateResults": s.lateResults,
	}
	_ = json.NewEncoder(w).Encode(answers[action](r))
}

func (s *service) invocation(*http.Request) object {
	status := "Running"
	if s.counted || s.machines < 1000 {
		status = "Success"
		if s.ended != nil {
			s.ended()
		}
	}
	var list []object
	for i := range min(s.machines, 1000) {
		list = append(list, object{"InstanceId": fmt.Sprint("mi-", i), "InvocationStatus": status})
	}
	return object{"Invocations": object{"Invocation": []object{{
		"InvokeId": "t-1", "InvocationStatus": status, "InvokeInstances": object{"InvokeInstance": list},
	}}}}
}

func (s *service) results(r *http.Request) object {
	if state := r.FormValue("InvocationStatus"); state != "" {
		s.counted = true
		return object{"Invocation": object{"TotalCount": map[string]int{"Success": 2000, "Running": 300, "Pending": 40}[state]}}
	}
	number, _ := strconv.Atoi(r.FormValue("PageNumber")) // a bad one shows as missing rows
	size, _ := strconv.Atoi(r.FormValue("PageSize"))
	var list []object
	for i := (number - 1) * size; i < min(number*size, s.machines); i++ {
		list = append(list, object{"InstanceId": fmt.Sprint("mi-", i), "InvocationStatus": "Success", "ExitCode": 0, "Output": "b2sK"})
	}
	return object{"Invocation": object{"TotalCount": s.machines, "InvocationResults": object{"InvocationResult": list}}}
}

// lateResults are on pages of one.
func (s *service) lateResults(r *http.Request) object {
	n, _ := strconv.Atoi(r.FormValue("NextToken"))
	if n >= s.late {
		return object{"LateResults": object{"LateResult": []object{}}}
	}
	next := ""
	if n+1 < s.late {
		next = fmt.Sprint(n + 1)
	}
	return object{"NextToken": next, "LateResults": object{"LateResult": []object{{
		"InstanceId": fmt.Sprint("mi-", n/2), "InvocationStatus": "Failed", "ExitCode": 7, "ErrorCode": "ExitCodeNonzero", "Output": "b2sK", "Repeats": n + 1,
		"StartTime": "2026-01-02T03:04:00Z", "FinishedTime": fmt.Sprintf("2026-01-02T03:05:0%dZ", n), "ReceivedTime": fmt.Sprintf("2026-01-02T04:00:0%dZ", n),
	}}}}
}

func names(r *http.Request) object {
	var list []object
	for i := 1; r.FormValue(fmt.Sprint("InstanceId.", i)) != ""; i++ {
		id := r.FormValue(fmt.Sprint("InstanceId.", i))
		list = append(list, object{"InstanceId": id, "InstanceName": strings.Replace(id, "mi", "web", 1)})
	}
	return object{"Instances": list}
}

func open(t *testing.T, h http.Handler) (s *cli.Session, out, progress *bytes.Buffer) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s, err := cli.Open(cli.Access{Endpoint: srv.URL, KeyID: "id", Secret: "secret", Region: "r-1"})
	if err != nil {
		t.Fatal(err)
	}
	out, progress = new(bytes.Buffer), new(bytes.Buffer)
	s.Out, s.Err, s.Progress, s.Plain, s.Terminal, s.Colour, s.Ask = out, progress, true, true, false, false, false
	return s, out, progress
}

func TestAllMachinesAreShownHoweverMany(t *testing.T) {
	for _, n := range []int{1, 49, 50, 51, 100, 2345} {
		s, out, progress := open(t, &service{machines: n})
		if err := s.Run(t.Context(), onAll); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(out.String(), "\n")
		want := fmt.Sprintf("%d machines: web-0, web-1, web-2, … (and %d more)", n, n-3)
		if n == 1 {
			want = "1 machine: web-0"
		}
		if first != want {
			t.Errorf("shows %q, want %q", first, want)
		}
		if n < 1000 {
			if progress.Len() > 0 {
				t.Errorf("progress of %d is %q, want none: it took no time", n, progress)
			}
			continue
		}
		for _, want := range []string{
			"[" + strings.Repeat("█", 52) + "▒▒▒▒▒▒▒·] 2005 of 2345\n", "2000 succeeded  5 failed  300 running  40 waiting\n", "\nt-1  ", "\x1b[3A\r\x1b[J",
		} {
			if !strings.Contains(progress.String(), want) {
				t.Errorf("progress of %d is %q, want %q in it", n, progress, want)
			}
		}
	}
}

// LATE-2: what came late is shown behind the results, changes no verdict, and is told apart.
func TestLateResultsAreShown(t *testing.T) {
	s, out, _ := open(t, &service{machines: 3, late: 3})
	if err := s.Results(t.Context(), "t-1", 0, cli.Viewing{}); err != nil {
		t.Errorf("%v, want success: late results are not the machines' own", err)
	}
	golden(t, "late-results", out.Bytes())
	out.Reset()
	if err := s.Results(t.Context(), "t-1", 0, cli.Viewing{Lines: true}); err != nil {
		t.Error(err)
	}
	golden(t, "late-results-json", out.Bytes())
	out.Reset()
	if err := s.Run(t.Context(), cli.Run{Script: cli.Script{Line: "true"}, Targets: cli.Targets{All: true}, View: cli.Viewing{Lines: true}}); err != nil || strings.Count(out.String(), `"late":true`) != 3 {
		t.Errorf("%v and %s, want three late results", err, out)
	}
}

func TestExitsSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		failing string
		code    int
		says    string
	}{
		{"RunCommand", cli.Refused, "Forbidden: You may not. (request r-1)"},
		{"DescribeInvocations", cli.Refused, "Forbidden"},
		{"DescribeInvocationResults", cli.Refused, "Forbidden"},
		{"DescribeLateResults", cli.Refused, "Forbidden"},
		{"DescribeManagedInstances", cli.Refused, "Forbidden"},
	} {
		s, out, _ := open(t, &service{machines: 3, failing: map[string]int{c.failing: 403}})
		err := s.Run(t.Context(), onAll)
		var exit *cli.Exit
		if !errors.As(err, &exit) || exit.Code != c.code || !strings.Contains(err.Error(), c.says) || out.Len() > 0 {
			t.Errorf("%s refused: %v and output %q, want exit code %d and %q", c.failing, err, out, c.code, c.says)
		}
	}
}

// Whoever interrupts while the results are fetched still learns where they are.
func TestInterruptionNamesTheInvocation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, _, _ := open(t, &service{machines: 3, ended: cancel})
	err := s.Run(ctx, onAll)
	var exit *cli.Exit
	if !errors.As(err, &exit) || exit.Code != cli.Interrupted || !strings.Contains(err.Error(), "orderly results t-1") {
		t.Errorf("%v, want exit code %d and how to go on", err, cli.Interrupted)
	}
}
