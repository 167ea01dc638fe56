package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/orderly-run/orderly/internal/client"
)

// An Agent is an agent process.
type Agent struct {
	*Process
	ID   string // of its instance
	Name string
	Dir  string // its data directory
}

// Agent registers a machine and starts its agent; it returns when the server has welcomed it.
func (s *Server) Agent(name string) *Agent {
	s.t.Helper()
	return s.Agents(name)[0]
}

// Agents is Agent for several machines, which start together. They share one activation.
func (s *Server) Agents(names ...string) []*Agent {
	s.t.Helper()
	code, err := s.API.CreateActivation(s.t.Context(), client.CreateActivationRequest{InstanceCount: len(names)})
	if err != nil {
		s.t.Fatal(err)
	}
	agents := make([]*Agent, len(names))
	for i, name := range names {
		agents[i] = s.Register(name, code.ActivationId, code.ActivationCode)
		agents[i].start()
	}
	for _, a := range agents {
		a.awaitWelcome(0)
	}
	return agents
}

var registered = regexp.MustCompile(`(?m)^registered as (mi-\S+) \((.*)\) in (\S+)$`)

// Register registers a machine with an activation and does not start its agent. Further arguments
// go to orderly-agent register. A name of "" is not given: the machine is named by the server.
func (s *Server) Register(name, activationID, code string, args ...string) *Agent {
	s.t.Helper()
	out, err := s.TryRegister(name, activationID, code, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	m := registered.FindStringSubmatch(out.Said)
	if m == nil || m[3] != Region {
		s.t.Fatalf("register says %q", out.Said)
	}
	a := &Agent{ID: m[1], Name: m[2], Dir: out.Dir}
	a.Process = newProcess(s.t, "orderly-agent", a.Dir+".log", "run", "--data", a.Dir)
	if s.Windows {
		a.path, a.args = onWindows(a.args)
	}
	a.env = append(a.env, "ORDERLY_AGENT_TIME_SCALE="+strconv.Itoa(s.scale))
	if s.Engine != "" {
		a.env = append(a.env, "ORDERLY_AGENT_DOCKER_SOCKET="+s.Engine)
	}
	return a
}

// A Registration is how a call of orderly-agent register went.
type Registration struct {
	Dir  string // the agent's directory
	Said string // on both outputs
	Code int    // to exit with
}

// TryRegister is Register for a story in which it may fail: the error is why it did.
func (s *Server) TryRegister(name, activationID, code string, args ...string) (Registration, error) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "agent")
	all := []string{"register", "--server", s.Endpoint, "--activation-id", activationID, "--data", dir}
	if name != "" {
		all = append(all, "--name", name)
	}
	if s.Fingerprint != "" {
		all = append(all, "--ca-fingerprint", s.Fingerprint)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	path, all := Program(s.t, "orderly-agent"), append(all, args...)
	if s.Windows {
		path, all = onWindows(all)
	}
	cmd := exec.CommandContext(ctx, path, all...)
	cmd.Env = append(environment(), "ORDERLY_AGENT_ACTIVATION_CODE="+code) // where no list of processes shows it
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	r := Registration{Dir: dir, Said: out.String(), Code: cmd.ProcessState.ExitCode()}
	if err != nil {
		err = fmt.Errorf("register: %w: %s", err, out.String())
	}
	return r, err
}

// Setenv gives the agent a variable, NAME=VALUE, from its next start on.
func (a *Agent) Setenv(variable string) { a.env = append(a.env, variable) }

// Start starts the agent, again or for the first time, and returns when the server has welcomed it.
func (a *Agent) Start() {
	a.t.Helper()
	before := a.Welcomes()
	a.start()
	a.awaitWelcome(before)
}

// Launch starts the agent and does not wait.
func (a *Agent) Launch() {
	a.t.Helper()
	a.start()
}

// Welcomes is how often a server has welcomed the agent, in all its lives: it has one more link
// that tasks travel on.
func (a *Agent) Welcomes() int { return bytes.Count(a.Log(), []byte(" msg=welcome ")) }

// AwaitWelcome waits until the agent was welcomed more often than that, as after the network or
// the server was away.
func (a *Agent) AwaitWelcome(before int) {
	a.t.Helper()
	a.awaitWelcome(before)
}

func (a *Agent) awaitWelcome(before int) {
	a.t.Helper()
	Await(a.t, Patience, a.Name+" is welcomed by the server", func() error {
		if !a.Running() {
			a.t.Fatalf("the agent has ended by itself, exit code %d", a.cmd.ProcessState.ExitCode())
		}
		if a.Welcomes() > before {
			return nil
		}
		return errors.New("not yet")
	})
}

// Twin is an agent with a copy of the data directory, journal and identity included, as a cloned
// machine has it. It is not started yet.
func (a *Agent) Twin() *Agent {
	a.t.Helper()
	dir := filepath.Join(a.t.TempDir(), "twin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		a.t.Fatal(err)
	}
	for _, file := range []string{"identity.json", "journal"} {
		content, err := os.ReadFile(filepath.Join(a.Dir, file))
		if errors.Is(err, os.ErrNotExist) {
			continue // it has not run yet
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), content, 0o600)
		}
		if err != nil {
			a.t.Fatal(err)
		}
	}
	twin := &Agent{ID: a.ID, Name: "twin of " + a.Name, Dir: dir}
	twin.Process = newProcess(a.t, "orderly-agent", dir+".log", "run", "--data", dir)
	twin.env = a.env
	return twin
}
