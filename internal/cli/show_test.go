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

func TestReports(t *testing.T) {
	terminal := cli.Session{Terminal: true, Colour: true}
	hostile := fleet(1, "\x1b]0;owned\a\x1b[2J\r\nover\rwritten\u009b1m\x7f\tübung\n")
	unended := append(fleet(2, "ok\n"), cli.Result{Name: "web-3", Status: "Running"}, cli.Result{Name: "web-4", Status: "Pending"})
	for _, c := range []struct {
		name    string
		session cli.Session
		results []cli.Result
		json    bool
		code    int
	}{
		{"same", cli.Session{}, fleet(42, "Linux\n"), false, 0},
		{"one", cli.Session{}, fleet(1, ""), false, 0},
		{"none", cli.Session{}, nil, false, 0},
		{"five", cli.Session{}, fleet(5, "no newline"), false, 0},
		{"mixed", cli.Session{}, mixed(), false, cli.SomeFailed},
		{"colours", terminal, mixed(), false, cli.SomeFailed},
		{"unended", terminal, unended, false, cli.GaveUp},
		{"hostile-terminal", terminal, hostile, false, 0},
		{"hostile-file", cli.Session{}, hostile, false, 0},
		{"json", terminal, append(mixed()[10:], hostile...), true, cli.SomeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			c.session.Out = &out
			err := c.session.Show(cli.Report{InvokeID: "t-hz01", Results: c.results, Took: 1234 * time.Millisecond}, c.json)
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
	if err := s.Show(cli.Report{Results: fleet(1, "")}, false); !errors.As(err, &exit) || exit.Code != cli.Refused || exit.Err == nil {
		t.Errorf("error %v, want exit code %d", err, cli.Refused)
	}
}
