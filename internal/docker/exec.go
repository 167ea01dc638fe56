package docker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// A Command is what to run in a container, as its user and in its working directory.
type Command struct {
	Args []string // the program first
	Env  []string // "NAME=value", beside what the container has
}

// Exec makes an exec of c in a container and returns its ID. It starts nothing.
func (e *Engine) Exec(ctx context.Context, container string, c Command) (string, error) {
	question := struct {
		AttachStdout, AttachStderr bool
		Cmd, Env                   []string
	}{true, true, c.Args, c.Env}
	var answer struct {
		ID string `json:"Id"`
	}
	err := e.ask(ctx, http.MethodPost, "/containers/"+url.PathEscape(container)+"/exec", question, &answer)
	if err == nil && answer.ID == "" {
		err = fmt.Errorf("the engine made an exec in %s without an ID", container)
	}
	return answer.ID, err
}

// Start starts an exec and returns what it writes, both outputs in the order in which the engine read them. An
// engine starts an exec once. When Start fails with ErrUnreachable, or the output ends early, it may have been started all the same.
// Closing the output leaves the process alone.
func (e *Engine) Start(ctx context.Context, exec string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	limit := time.AfterFunc(callTimeout, cancel)
	question := struct{ Detach, Tty bool }{}
	resp, err := e.do(ctx, http.MethodPost, "/exec/"+url.PathEscape(exec)+"/start", question)
	if !limit.Stop() && err == nil {
		resp.Body.Close()
		err = fmt.Errorf("%w at %s: it took too long to answer", ErrUnreachable, e.socket)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &output{Reader: Demultiplex(resp.Body), body: resp.Body, cancel: cancel}, nil
}

// An output is what an exec writes.
type output struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Close ends the connection, and whoever reads from it.
func (o *output) Close() error {
	o.cancel()
	return o.body.Close()
}

// An ExecState is how far an exec has come.
type ExecState struct {
	Running  bool
	PID      int  // of its process, as the engine's machine counts; 0 until it is started, and when it could not be
	ExitCode *int // nil while it has not ended, or has not begun
}

// Ended reports whether it is over: its process has ended, or could not be started.
func (s ExecState) Ended() bool { return !s.Running && s.ExitCode != nil }

// State asks how far an exec has come. Its error is ErrNotFound when it, or its container, is gone.
func (e *Engine) State(ctx context.Context, exec string) (ExecState, error) {
	var s struct {
		Running  bool
		ExitCode *int
		Pid      int
	}
	err := e.ask(ctx, http.MethodGet, "/exec/"+url.PathEscape(exec)+"/json", nil, &s)
	return ExecState{Running: s.Running, PID: s.Pid, ExitCode: s.ExitCode}, err
}
