package cli_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/cli"
)

var update = flag.Bool("update", false, "write the golden files")

func code(n int64) *int64 { return &n }

// fleet is n machines that succeeded with the same output.
func fleet(n int, output string) []cli.Result {
	var list []cli.Result
	for i := range n {
		list = append(list, cli.Result{Instance: fmt.Sprintf("mi-%d", i+1), Name: fmt.Sprintf("web-%d", i+1), Status: "Success", ExitCode: code(0), Output: output})
	}
	return list
}

func failure(name, status, reason string, exit *int64) cli.Result {
	return cli.Result{Instance: "mi-" + name, Name: name, Status: status, ExitCode: exit, ErrorCode: reason, Output: "no\n"}
}

// mixed is a fleet where things went wrong in every way, in no order.
func mixed() []cli.Result {
	list := append(fleet(12, "up\n"), failure("db-1", "Failed", "ExitCodeNonzero", code(3)), failure("db-2", "Failed", "ExitCodeNonzero", code(3)),
		failure("db-3", "Failed", "ExitCodeNonzero", code(4)))
	list[4].Output = "up since yesterday"
	list[9].Output, list[9].Dropped = "tail\n", 100
	return append(list,
		cli.Result{Name: "mail", Status: "Aborted", ErrorCode: "InstanceNotRunning", ErrorInfo: "The instance is not running."},
		cli.Result{Name: "slow", Status: "Timeout", Output: "beginning\n"})
}

// lateOnes are late results of a fleet, in every way that they come.
func lateOnes() []cli.Result {
	list := []cli.Result{
		{Status: "Success", ExitCode: code(0), Output: "late\n", Started: "2026-01-02T03:04:05Z", Finished: "2026-01-02T03:05:00Z"},
		{Status: "Success", ExitCode: code(0), Output: "late\n", Started: "2026-01-02T03:04:01Z", Finished: "2026-01-02T03:06:00Z"},
		{Status: "Terminated", ExitCode: code(143), Output: "\x1b[2Jcut", Dropped: 9, Started: "2026-01-02T03:04:01Z", Finished: "2026-01-02T03:06:00Z"},
		{Status: "Error", ErrorCode: "ClientRestarted", ErrorInfo: "It restarted.", Finished: "2026-01-02T03:04:05Z"},
	}
	for i := range list {
		r := &list[i]
		r.Instance, r.Name, r.Late, r.Repeats, r.Received = fmt.Sprint("mi-", i), fmt.Sprint("web-", i), true, 1, fmt.Sprintf("2026-01-02T04:0%d:00Z", i)
	}
	again := list[0] // by the same machine
	again.Repeats, again.Finished, again.Received = 2, "2026-01-02T03:07:00Z", "2026-01-02T04:09:00Z"
	return append(list, again)
}

func TestReports(t *testing.T) {
	terminal := cli.Session{Terminal: true, Colour: true}
	hostile := fleet(1, "\x1b]0;owned\a\x1b[2J\r\nover\rwritten\u009b1m\x7f\tübung\n")
	unended := append(fleet(2, "ok\n"), cli.Result{Name: "web-3", Status: "Running"}, cli.Result{Name: "web-4", Status: "Pending"})
	for _, c := range []struct {
		name    string
		session cli.Session
		results []cli.Result
		late    []cli.Result
		json    bool
		code    int
	}{
		{"same", cli.Session{}, fleet(42, "Linux\n"), nil, false, 0},
		{"one", cli.Session{}, fleet(1, ""), nil, false, 0},
		{"none", cli.Session{}, nil, nil, false, 0},
		{"five", cli.Session{}, fleet(5, "no newline"), nil, false, 0},
		{"mixed", cli.Session{}, mixed(), nil, false, cli.SomeFailed},
		{"colours", terminal, mixed(), nil, false, cli.SomeFailed},
		{"unended", terminal, unended, nil, false, cli.GaveUp},
		{"hostile-terminal", terminal, hostile, nil, false, 0},
		{"hostile-file", cli.Session{}, hostile, nil, false, 0},
		{"json", terminal, append(mixed()[10:], hostile...), nil, true, cli.SomeFailed},
		{"late", cli.Session{}, fleet(2, "ok\n"), lateOnes(), false, 0},
		{"late-colours", terminal, mixed()[11:13], lateOnes()[2:4], false, cli.SomeFailed},
		{"late-one", cli.Session{}, fleet(2, "ok\n"), lateOnes()[:1], false, 0},
		{"late-json", cli.Session{}, fleet(1, "ok\n"), lateOnes()[2:4], true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			c.session.Out = &out
			err := c.session.Show(cli.Report{InvokeID: "t-hz01", Results: c.results, Late: c.late, Took: 1234 * time.Millisecond}, cli.Viewing{Lines: c.json})
			var exit *cli.Exit
			if got := errors.As(err, &exit); got != (c.code != 0) || got && exit.Code != c.code {
				t.Errorf("error %v, want exit code %d", err, c.code)
			}
			golden(t, c.name, out.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// A full disk must not look like success.
func TestUnwrittenResultsAreAnError(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	s := cli.Session{Out: w}
	var exit *cli.Exit
	if err := s.Show(cli.Report{Results: fleet(1, "")}, cli.Viewing{}); !errors.As(err, &exit) || exit.Code != cli.Refused || exit.Err == nil {
		t.Errorf("error %v, want exit code %d", err, cli.Refused)
	}
}
