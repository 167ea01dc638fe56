//go:build linux

package docker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/docker"
	"github.com/orderly-run/orderly/internal/dockertest"
)

const patience = 20 * time.Second

// kubernetes is the label that has a name within a pod.
func kubernetes(name string) map[string]string {
	return map[string]string{"io.kubernetes.container.name": name}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestContainersAreFound(t *testing.T) { // CT-3
	real := dockertest.Start(t)
	web, idle, frozen := real.Run(t, "web", nil), real.Create(t, "idle", nil), real.Run(t, "frozen", nil)
	real.Do(t, "/containers/frozen/pause")
	one := real.Run(t, "k8s_side_a_0", kubernetes("side"))
	real.Create(t, "k8s_side_a_1", kubernetes("side")) // has ended, as far as anybody can tell
	real.Run(t, "k8s_app_a_0", kubernetes("app"))
	real.Run(t, "k8s_app_b_0", kubernetes("app"))
	real.Create(t, "k8s_over_a_0", kubernetes("over"))
	e := docker.New(real.Socket)
	for _, tt := range []struct {
		id, name string
		found    string
		err      error
	}{
		{web, "", web, nil}, {"", "web", web, nil}, {web, "web", web, nil},
		{"", "side", one, nil}, {one, "side", one, nil}, {"", "k8s_side_a_0", one, nil},
		{"", "nobody", "", docker.ErrNotFound}, {strings.Repeat("0", 64), "", "", docker.ErrNotFound}, {strings.Repeat("0", 64), "web", "", docker.ErrNotFound},
		{"", web[:12], "", docker.ErrNotFound}, // the beginning of an ID is no name
		{web[:12], "", "", docker.ErrNotFound},
		{web, "idle", "", docker.ErrMismatch}, {web, "nobody", "", docker.ErrMismatch}, {one, "app", "", docker.ErrMismatch},
		{"", "app", "", docker.ErrDuplicated},
		{"", "idle", "", docker.ErrNotRunning}, {idle, "idle", "", docker.ErrNotRunning}, {"", "frozen", "", docker.ErrNotRunning}, {frozen, "", "", docker.ErrNotRunning},
		{"", "over", "", docker.ErrNotRunning},
	} {
		c, err := e.Find(t.Context(), tt.id, tt.name)
		if !errors.Is(err, tt.err) || c.ID != tt.found || (tt.found != "") != (c.PID > 0) {
			t.Errorf("Find(%.12q, %q) = %+v, %v; want %.12q, %v", tt.id, tt.name, c, err, tt.found, tt.err)
		}
	}
}

// ran starts a command and waits for its end.
func ran(t *testing.T, e *docker.Engine, container string, c docker.Command) (output string, s docker.ExecState) {
	t.Helper()
	exec, err := e.Exec(t.Context(), container, c)
	must(t, err)
	out, err := e.Start(t.Context(), exec)
	must(t, err)
	defer out.Close()
	text, err := io.ReadAll(out)
	must(t, err)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !s.Ended(); <-tick.C {
		if s, err = e.State(t.Context(), exec); err != nil || time.Now().After(end) {
			t.Fatalf("state %+v: %v", s, err)
		}
	}
	if again, err := e.Start(t.Context(), exec); err == nil {
		defer again.Close()
		more, err := io.ReadAll(again)
		if err == nil && string(more) == string(text) {
			t.Error("an exec was started twice")
		}
	}
	return string(text), s
}

func TestCommandsRun(t *testing.T) {
	real := dockertest.Start(t)
	real.Run(t, "web", nil)
	e := docker.New(real.Socket)
	shell := func(script string) docker.Command {
		return docker.Command{Args: []string{"/bin/sh", "-c", script}, Env: []string{"GREETING=hello"}}
	}
	output, s := ran(t, e, "web", shell("exec 2>&1; echo $GREETING; echo err >&2; pwd; id -u; exit 3"))
	if output != "hello\nerr\n/srv\n7\n" || *s.ExitCode != 3 {
		t.Errorf("it wrote %q and ended with %d", output, *s.ExitCode)
	}
	if output, s := ran(t, e, "web", shell("yes 0123456789 | head -n 100000; kill -9 $$")); len(output) != 1_100_000 || *s.ExitCode != 137 {
		t.Errorf("%d bytes, code %d; want 1100000 and 137", len(output), *s.ExitCode)
	}
	if output, s := ran(t, e, "web", docker.Command{Args: []string{"/bin/nosuch"}}); !strings.Contains(output, "nosuch") || *s.ExitCode == 0 || s.PID != 0 {
		t.Errorf("a program that is not there: %q, %+v", output, s)
	}
	real.Do(t, "/containers/web/pause")
	if _, err := e.Exec(t.Context(), "web", shell("true")); !errors.Is(err, docker.ErrNotRunning) {
		t.Errorf("in a paused container: %v", err)
	}
	real.Do(t, "/containers/web/unpause")
	if _, err := e.Exec(t.Context(), "nobody", shell("true")); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("in no container: %v", err)
	}
	if _, err := e.State(t.Context(), "nobody"); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("the state of no exec: %v", err)
	}
}

// A reader of an output that is closed returns.
func TestOutputsCanBeLeft(t *testing.T) {
	real := dockertest.Start(t)
	real.Run(t, "web", nil)
	e := docker.New(real.Socket)
	exec, err := e.Exec(t.Context(), "web", docker.Command{Args: []string{"/bin/sleep", "1000"}})
	must(t, err)
	out, err := e.Start(t.Context(), exec)
	must(t, err)
	over := make(chan error, 1)
	go func() { _, err := io.ReadAll(out); over <- err }()
	must(t, out.Close())
	select {
	case err := <-over:
		if err == nil {
			t.Error("the output seems complete")
		}
	case <-time.After(patience):
		t.Error("the reader does not return")
	}
	if s, err := e.State(t.Context(), exec); err != nil || s.Ended() {
		t.Errorf("%+v, %v; want it to run on", s, err)
	}
}

// engine is one that behaves as no real one does.
func engine(t *testing.T, serve http.HandlerFunc) *docker.Engine {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	must(t, err)
	s := &http.Server{Handler: serve, ReadHeaderTimeout: patience}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return docker.New(socket)
}

func TestStrangeEngines(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		err   error // nil for any
	}{
		"of Windows": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Ostype", "windows")
			_, _ = io.WriteString(w, "{}")
		}, docker.ErrUnsupported},
		"that hangs up":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, docker.ErrUnreachable},
		"that breaks":       {text(http.StatusInternalServerError, `{"message":"broken"}`), nil},
		"with another word": {text(http.StatusOK, "hello"), nil},
		"with no end":       {text(http.StatusOK, `{"Id":"`+strings.Repeat("x", 9<<20)), nil},
		"that leads away":   {text(http.StatusFound, ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, tt.serve)
			if _, err := e.Find(t.Context(), "", "web"); err == nil || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("Find: %v, want %v", err, tt.err)
			}
			if _, err := e.Exec(t.Context(), "web", docker.Command{}); err == nil || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("Exec: %v, want %v", err, tt.err)
			}
		})
	}
	nobody := docker.New(filepath.Join(t.TempDir(), "nobody"))
	if _, err := nobody.Find(t.Context(), "", "web"); !errors.Is(err, docker.ErrUnreachable) {
		t.Errorf("no engine: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent := engine(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if _, err := silent.Start(ctx, "x"); !errors.Is(err, docker.ErrUnreachable) {
		t.Errorf("a silent engine: %v", err)
	}
}
