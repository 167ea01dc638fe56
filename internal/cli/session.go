// Package cli is what the verbs of the command line do and show, over the public API.
package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	Endpoint      string // http://host:port or https://host:port
	KeyID         string
	Secret        string
	Region        string
	CAFile        string // PEM file of the authorities to trust; "" for the system's
	CAFingerprint string // of the only authority to trust, in place of a file
	Version       string // of the dialect; "" for ECS 2014-05-26
}

// A Session is one use of the command line.
type Session struct {
	Out      io.Writer // results
	Err      io.Writer // progress, and what is asked
	In       io.Reader // answers
	Terminal bool      // Out is one: control characters of machines are made visible
	Colour   bool      // Out takes colours
	Progress bool      // Err is a terminal, which shows how far things are
	Plain    bool      // without colours on Err
	Ask      bool      // somebody is there to answer: In and Err are a terminal
	Yes      bool      // every answer is yes

	Format Format        // of lists and single things
	Watch  time.Duration // between two looks at the same; 0 to look once

	api  *client.Client
	seen io.Writer // gets what is printed as JSON, too, unless it is nil
}

// Open makes a session on the program's own input and output. It does not connect.
func Open(a Access) (*Session, error) {
	api, err := client.New(client.Config{
		Endpoint: a.Endpoint, KeyID: a.KeyID, Secret: a.Secret, Region: a.Region, Version: a.Version, CAFile: a.CAFile, CAFingerprint: a.CAFingerprint,
	})
	if err != nil {
		return nil, &Exit{Refused, adviseOpen(err)}
	}
	s := Local()
	s.api = api
	return s, nil
}

// Local makes a session that calls nobody.
func Local() *Session {
	out, err := isTerminal(os.Stdout), isTerminal(os.Stderr)
	return &Session{
		Out: os.Stdout, Err: os.Stderr, In: os.Stdin, Terminal: out, Colour: out, Progress: err, Ask: err && isTerminal(os.Stdin), Format: Table,
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// HTTP is what the session connects with: it trusts whom the session trusts.
func (s *Session) HTTP() *http.Client { return s.api.HTTP() }

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
