// Package cli is what the verbs of the command line do and show, over the public API.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/orderly-run/orderly/internal/client"
)

// Codes with which the program ends, besides 0 for success.
const (
	SomeFailed  = 1   // the command did not succeed on every machine
	Refused     = 2   // wrong usage, or the API refused or could not be reached
	GaveUp      = 3   // the command goes on, unwatched
	Interrupted = 130 // the same, because the user said so
)

// An Exit is an end of the program other than success. Err is for the user, or nil when all has been
// said.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Exit) Unwrap() error { return e.Err }

// An Access is whom to call as whom.
type Access struct {
	Endpoint string // http://host:port or https://host:port
	KeyID    string
	Secret   string
	Region   string
	CAFile   string // PEM file of the authorities to trust; "" for the system's
}

// A Session is one use of the command line.
type Session struct {
	Out      io.Writer // results
	Err      io.Writer // progress
	Terminal bool      // Out is one: control characters of machines are made visible
	Colour   bool      // Out takes colours
	Progress bool      // Err is a terminal

	api *client.Client
}

// Open makes a session on the program's own output. It does not connect.
func Open(a Access) (*Session, error) {
	api, err := client.New(client.Config{Endpoint: a.Endpoint, KeyID: a.KeyID, Secret: a.Secret, Region: a.Region, CAFile: a.CAFile})
	if err != nil {
		return nil, err
	}
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	return &Session{
		Out: os.Stdout, Err: os.Stderr, Terminal: terminal, Colour: terminal, Progress: term.IsTerminal(int(os.Stderr.Fd())), api: api,
	}, nil
}

// refused is the end by an error of a call.
func refused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Exit{Interrupted, errors.New("interrupted")}
	}
	return &Exit{Refused, plain(err)}
}

// plain is an error as users of the command line read it.
func plain(err error) error {
	var e *client.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Code == "":
		return fmt.Errorf("the endpoint answers with status %d (%s): is it an Orderly server?", e.Status, e.Message)
	}
	return fmt.Errorf("%s: %s (request %s)", e.Code, e.Message, e.RequestID)
}

// Await waits until n machines of the region are connected.
func (s *Session) Await(ctx context.Context, n int) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		list, err := s.api.DescribeManagedInstances(ctx, client.DescribeManagedInstancesRequest{Connected: "true"})
		if err != nil {
			return refused(ctx, err)
		}
		if len(list) >= n {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
