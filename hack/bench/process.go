package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A command is a program to start.
type command struct {
	path string
	args []string
	env  []string // beside our own
	// quiet keeps its errors to itself.
	quiet bool
}

// A process is a program that was started. Its errors go where ours go, unless it is quiet.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // of its output; closed at its end
}

func start(ctx context.Context, c command) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, c.path, c.args...), lines: make(chan string, 64)}
	p.cmd.Env = append(os.Environ(), c.env...)
	if !c.quiet {
		p.cmd.Stderr = os.Stderr
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.in = in
	go func() { // ends with the process's output
		defer close(p.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			p.lines <- text.Text()
		}
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) say(line string) error {
	_, err := fmt.Fprintln(p.in, line)
	return err
}

// line is the next line of the process's output.
func (p *process) line(patience time.Duration) (string, error) {
	select {
	case text, ok := <-p.lines:
		if !ok {
			return "", fmt.Errorf("%s has ended", p.cmd.Path)
		}
		return text, nil
	case <-time.After(patience):
		return "", fmt.Errorf("%s says nothing", p.cmd.Path)
	}
}

// stop ends the process and waits for that.
func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		for range p.lines { // its last words
		}
		_ = p.cmd.Wait() // that it was killed is no news
	}()
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-ended
	}
}

// output runs a program to its end and returns what it printed.
func (c command) output(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	text, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w: %s", c.path, strings.Join(c.args, " "), err, exit.Stderr)
	}
	return string(text), err
}

// build makes programs as they are shipped.
func build(ctx context.Context, bin string, packages ...string) error {
	_, err := command{
		path: "go", args: append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", bin + "/"}, packages...),
		env: []string{"CGO_ENABLED=0"},
	}.output(ctx)
	return err
}
