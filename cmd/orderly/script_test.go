package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/orderly-run/orderly/internal/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"orderly": main})
}

// The scripts are sessions that a user could have typed, with real agents; what they wait for has
// this long to happen.
const patience = time.Minute

func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../orderly-agent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("ORDERLY_DATA", filepath.Join(e.WorkDir, "server"))
			e.Setenv("ORDERLY_LISTEN", "127.0.0.1:0")
			e.Setenv("ORDERLY_NATS_LISTEN", "127.0.0.1:0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"wait-ready": waitReady, "wait-agents": waitAgents, "wait-file": waitFile, "wait-stdout": waitStdout, "exits": exits, "documented": documented, "recorded": recorded,
		},
	})
}

// until waits for done with a deadline.
func until(ts *testscript.TestScript, what string, done func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("%s: %v", what, err)
		}
	}
}

// waitReady is wait-ready: the server of the script answers, and $ENDPOINT is where.
func waitReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: wait-ready")
	}
	probe := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	until(ts, "wait-ready", func(ctx context.Context) error {
		var w whereabouts
		if err := readLocal(filepath.Join(ts.Getenv("ORDERLY_DATA"), whereaboutsFile), &w); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Endpoint+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := probe.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		ts.Setenv("ENDPOINT", w.Endpoint)
		return nil
	})
}

// waitAgents is wait-agents N: so many machines are connected.
func waitAgents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wait-agents N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var w whereabouts
	var key struct{ AccessKeyID, AccessKeySecret string }
	ts.Check(readLocal(filepath.Join(ts.Getenv("ORDERLY_DATA"), whereaboutsFile), &w))
	ts.Check(readLocal(filepath.Join(ts.Getenv("ORDERLY_DATA"), "access-key.json"), &key))
	c, err := client.New(client.Config{Endpoint: w.Endpoint, KeyID: key.AccessKeyID, Secret: key.AccessKeySecret, Region: w.Region, CAFile: w.CAFile})
	ts.Check(err)
	until(ts, "wait-agents", func(ctx context.Context) error {
		list, err := c.DescribeManagedInstances(ctx, client.DescribeManagedInstancesRequest{Connected: "true"})
		if err == nil && len(list) != want {
			err = errors.New(strconv.Itoa(len(list)) + " are connected")
		}
		return err
	})
}

// waitFile is wait-file FILE: it exists.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wait-file FILE")
	}
	until(ts, "wait-file", func(context.Context) error {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err
	})
}

// waitStdout is wait-stdout REGEXP PROGRAM ARGUMENT...: the program prints that, when it is run often
// enough.
func waitStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: wait-stdout REGEXP PROGRAM ARGUMENT...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	until(ts, "wait-stdout "+args[0], func(context.Context) error {
		_ = ts.Exec(args[1], args[2:]...) // how it ends is for exits
		if !want.MatchString(ts.ReadFile("stdout")) {
			return errors.New("not yet")
		}
		return nil
	})
}

// exits is exits CODE PROGRAM ARGUMENT...: the program ends with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("exits: %v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// The addresses that a server prints must be of use on other machines.
func TestEndpointsNameThisMachine(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://[::]:8443": "https://here:8443", "https://0.0.0.0:8443": "https://here:8443",
		"http://127.0.0.1:1": "http://127.0.0.1:1", "https://[2001:db8::1]:1": "https://[2001:db8::1]:1",
	} {
		if got := reachable(endpoint, "here"); got != want {
			t.Errorf("%s is printed as %s, want %s", endpoint, got, want)
		}
	}
}
