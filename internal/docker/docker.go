package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// DefaultSocket is where engines listen.
const DefaultSocket = "/var/run/docker.sock"

// What a caller can tell apart. Any other error is one that the engine reports of itself.
var (
	ErrNotFound    = errors.New("no such container")
	ErrDuplicated  = errors.New("several containers have the name")
	ErrMismatch    = errors.New("name and ID are not of the same container")
	ErrNotRunning  = errors.New("the container is not running")
	ErrUnreachable = errors.New("the container engine cannot be reached")
	ErrUnsupported = errors.New("the container engine is not one for Linux containers")
)

// Bounds of what an engine answers.
const (
	callTimeout = 10 * time.Second
	maxAnswer   = 8 << 20 // of bytes; a list of 10 000 containers has some
	maxProblem  = 4 << 10
)

// An Engine is a container engine of this machine. Its methods may be called by anyone at any time.
type Engine struct {
	socket string
	client *http.Client
}

// New returns the engine that listens on a socket, or will: nothing is asked of it yet.
func New(socket string) *Engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Engine{socket: socket, client: &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// ask makes a request whose whole answer is JSON, and reads it into answer.
func (e *Engine) ask(ctx context.Context, method, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := e.do(ctx, method, path, question)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: read the answer to %s %s: %w", ErrUnreachable, method, path, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer to %s %s has more than %d bytes", method, path, maxAnswer)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// do makes a request and returns an answer that says that all is well, whose body is the caller's to close.
func (e *Engine) do(ctx context.Context, method, path string, question any) (*http.Response, error) {
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, e.socket, err)
	}
	if err := refusal(resp); err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return resp, nil
}

// refusal is what an answer says other than that all is well.
func refusal(resp *http.Response) error {
	if os := resp.Header.Get("Ostype"); os != "" && os != "linux" {
		return fmt.Errorf("%w: its system is %q", ErrUnsupported, os)
	}
	if resp.StatusCode < 300 {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var problem struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &problem) != nil || problem.Message == "" {
		problem.Message = string(bytes.TrimSpace(text))
	}
	err := errors.New(resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound:
		err = ErrNotFound
	case http.StatusConflict:
		err = ErrNotRunning
	}
	return fmt.Errorf("%w: %q", err, problem.Message)
}

// kubernetesName is the label that has a container's name within its pod.
const kubernetesName = "io.kubernetes.container.name"

// A Container is one that runs.
type Container struct {
	ID  string
	PID int // of its first process, as the engine's machine counts
}

// A description is what the engine tells of a container.
type description struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Running, Paused, Restarting bool
		Pid                         int
	}
	Config struct{ Labels map[string]string }
}

// named reports whether the container has a name.
func (d *description) named(name string) bool {
	return d.Name == "/"+name || d.Config.Labels[kubernetesName] == name
}

// Find finds a running container by its whole ID, in lower case, or its name, or both.
func (e *Engine) Find(ctx context.Context, id, name string) (Container, error) {
	d, err := e.describe(ctx, id, name)
	switch {
	case err != nil:
		return Container{}, err
	case name != "" && !d.named(name):
		return Container{}, fmt.Errorf("%w: container %s is called %q", ErrMismatch, id, d.Name)
	case !d.State.Running || d.State.Paused || d.State.Restarting:
		return Container{}, fmt.Errorf("%w: %s", ErrNotRunning, d.ID)
	}
	return Container{ID: d.ID, PID: d.State.Pid}, nil
}

// describe finds a container, by its ID when that is known.
func (e *Engine) describe(ctx context.Context, id, name string) (description, error) {
	wanted := id
	if id == "" {
		wanted = name
	}
	d, err := e.inspect(ctx, wanted)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return d, err
	case err == nil && (d.ID == id || id == "" && d.Name == "/"+name): // the engine takes the beginning of an ID for it too
		return d, nil
	case id != "":
		return d, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if id, err = e.labelled(ctx, name); err != nil {
		return d, err
	}
	return e.inspect(ctx, id)
}

func (e *Engine) inspect(ctx context.Context, container string) (d description, err error) {
	err = e.ask(ctx, http.MethodGet, "/containers/"+url.PathEscape(container)+"/json", nil, &d)
	return d, err
}

// labelled finds the ID of the container to which Kubernetes gave a name. What has ended counts only when
// nothing runs: a pod that restarts leaves it behind.
func (e *Engine) labelled(ctx context.Context, name string) (string, error) {
	filter, err := json.Marshal(map[string][]string{"label": {kubernetesName + "=" + name}})
	if err != nil {
		return "", err
	}
	var all []struct {
		ID    string `json:"Id"`
		State string
	}
	if err := e.ask(ctx, http.MethodGet, "/containers/json?all=1&filters="+url.QueryEscape(string(filter)), nil, &all); err != nil {
		return "", err
	}
	var running []string
	for _, c := range all {
		if c.State == "running" {
			running = append(running, c.ID)
		}
	}
	switch {
	case len(all) == 0:
		return "", fmt.Errorf("%w: %q", ErrNotFound, name)
	case len(running) > 1:
		return "", fmt.Errorf("%w: %q, %d of them", ErrDuplicated, name, len(running))
	case len(running) == 1:
		return running[0], nil
	}
	return all[0].ID, nil
}
