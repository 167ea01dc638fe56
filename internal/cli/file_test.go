package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/cli"
)

// A filing answers for a fleet of machines that files are sent to.
type filing struct {
	machines int
	refused  int    // which sending is refused, 1 for the first
	status   string // of every sending; "" when nothing is known of it
	mu       sync.Mutex
	sent     []int // machines of each sending
}

func (f *filing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var answer object
	switch r.Header.Get("x-acs-action") {
	case "SendFile":
		n := 0
		for r.FormValue(fmt.Sprint("InstanceId.", n+1)) != "" {
			n++
		}
		f.sent = append(f.sent, n)
		if len(f.sent) == f.refused {
			w.WriteHeader(http.StatusForbidden)
			answer = object{"Code": "Forbidden", "Message": "You may not.", "RequestId": "r-1"}
			break
		}
		answer = object{"InvokeId": fmt.Sprint("f-", len(f.sent))}
	case "DescribeSendFileResults":
		answer = f.results()
	default:
		answer = f.fleet(r)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// results are of the last sending.
func (f *filing) results() object {
	if f.status == "" {
		return object{"Invocations": object{"Invocation": []object{}}}
	}
	before := 0
	for _, n := range f.sent[:len(f.sent)-1] {
		before += n
	}
	var list []object
	for i := range f.sent[len(f.sent)-1] {
		list = append(list, object{"InstanceId": fmt.Sprint("mi-", before+i), "InvocationStatus": f.status})
	}
	return object{"Invocations": object{"Invocation": []object{{
		"InvokeId": fmt.Sprint("f-", len(f.sent)), "InvocationStatus": f.status, "InvokeInstances": object{"InvokeInstance": list},
	}}}}
}

// fleet is all machines, or those that are asked for, on one page.
func (f *filing) fleet(r *http.Request) object {
	if r.FormValue("InstanceId.1") != "" {
		return names(r)
	}
	var list []object
	for i := range f.machines {
		list = append(list, object{"InstanceId": fmt.Sprint("mi-", i), "InstanceName": fmt.Sprint("web-", i)})
	}
	return object{"Instances": list}
}

// send sends a file to all of the fleet and returns what was shown and said.
func send(t *testing.T, f *filing, limit time.Duration) (shown string, exit *cli.Exit) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "motd")
	if err := os.WriteFile(file, []byte("welcome\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, out, _ := open(t, f)
	err := s.Send(t.Context(), cli.Sending{File: file, To: "/etc/", Targets: cli.Targets{All: true}, Wait: limit})
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v, want an exit", err)
	}
	return out.String(), exit
}

func TestFileGoesToAnyNumberOfMachines(t *testing.T) {
	f := &filing{machines: 120, status: "Success"}
	shown, exit := send(t, f, 0)
	if exit != nil || fmt.Sprint(f.sent) != "[50 50 20]" || !strings.Contains(shown, "120 machines succeeded (f-3, ") {
		t.Errorf("%v after %v, shown %q; want all of 120", exit, f.sent, shown)
	}
}

// What came of the requests before one that is refused is shown, and the end is that of the refusal.
func TestFileSentInPartIsShown(t *testing.T) {
	for refused, says := range map[int]string{1: "Forbidden: You may not.", 2: "sent to 50 of 120 machines, which are above; then: Forbidden: You may not.", 3: "sent to 100 of 120 machines"} {
		f := &filing{machines: 120, status: "Success", refused: refused}
		shown, exit := send(t, f, 0)
		if exit == nil || exit.Code != cli.Refused || !strings.HasPrefix(exit.Error(), says) {
			t.Errorf("request %d refused: %v, want exit code %d and %q", refused, exit, cli.Refused, says)
		}
		want := ""
		if refused > 1 {
			want = fmt.Sprintf("%d machines succeeded", (refused-1)*50)
		}
		if !strings.Contains(shown, want) || (want == "") != (shown == "") {
			t.Errorf("request %d refused: shown %q, want %q", refused, shown, want)
		}
	}
}

// Nothing is waited for without an end.
func TestFileWaitEnds(t *testing.T) {
	t.Parallel()
	_, exit := send(t, &filing{machines: 3}, 0)
	if exit == nil || exit.Code != cli.Refused || !strings.Contains(exit.Error(), "accepted the file as f-1 and knows nothing of it") {
		t.Errorf("%v, want that nothing is known of it", exit)
	}
	_, exit = send(t, &filing{machines: 3, status: "Running"}, 100*time.Millisecond)
	if exit == nil || exit.Code != cli.GaveUp || !strings.Contains(exit.Error(), "gave up waiting after 100ms; the file is sent on as f-1") {
		t.Errorf("%v, want exit code %d", exit, cli.GaveUp)
	}
}
