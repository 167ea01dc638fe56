package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/orderly-run/orderly/internal/docker"
	"github.com/orderly-run/orderly/internal/proc"
)

// Why Run ends without being told to. Nothing but what the message says helps.
var (
	ErrDeregistered = errors.New("this machine was deregistered: register it again")
	ErrVersion      = errors.New("the server does not speak this agent's version of the protocol: update the agent")
)

// Config is how an agent works; the zero value of each field but Dir means what is named there.
type Config struct {
	Dir     string // where identity, journal and scripts are
	Version string // of the program; "dev"
	AtOnce  int    // commands that run at the same time, others wait; 64
	Spool   int64  // bytes of reports that may wait for acknowledgement; 64 MiB
	Times   Times  // DefaultTimes
	Boot    string // ID of the machine's boot; "" asks the system

	// Reserved is how many of AtOnce only commands may have whose time limit is a minute at most; a quarter.
	// Below 0 is none; one slot is for all in any case.
	Reserved int

	Docker string // socket of the container engine; DefaultEngine

	Power Power // what exit codes may ask for (EXI-2); nothing

	Transport Transport // Auto
	Proxy     string    // as a [RegisterConfig] has it; "": as at registration

	// Uptime is how long ago that boot was when New is called; 0 asks the system.
	Uptime time.Duration

	Root string       // of the file system that has the facts about the machine; "/"
	Log  *slog.Logger // nothing is logged
}

func (c Config) withDefaults() Config {
	c.Version = cmp.Or(c.Version, "dev")
	c.AtOnce = cmp.Or(c.AtOnce, 64)
	c.Reserved = max(min(cmp.Or(c.Reserved, c.AtOnce/4), c.AtOnce-1), 0)
	c.Spool = cmp.Or(c.Spool, 64<<20)
	c.Times = cmp.Or(c.Times, DefaultTimes)
	c.Times.Clock = cmp.Or(c.Times.Clock, DefaultTimes.Clock)
	c.Times.Grace = min(c.Times.Grace, MaxGrace)
	c.Root = cmp.Or(c.Root, "/")
	c.Docker = cmp.Or(c.Docker, DefaultEngine)
	c.Transport = cmp.Or(c.Transport, Auto)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

// An Agent is the agent of one registered machine. One goroutine, that of Run, owns all of it;
// what happens elsewhere reaches it through post.
type Agent struct {
	cfg      Config
	log      *slog.Logger
	identity Identity
	boot     string
	made     time.Time
	zone     zone
	link     string // names this process to the server
	journal  *Journal
	groups   *proc.Cgroups // nil where there are none
	engine   *docker.Engine
	dialer   *dialer

	events chan func()
	over   chan struct{} // closed when nobody takes events any more

	tasks   map[Occurrence]*task
	waiting queue
	active  map[Occurrence]*task // a goroutine of execute has it
	long    int                  // how many of them are not brief
	acked   memory
	early   []arrival // what came before the first welcome
	resting bool      // memory is about to be given back
	live    bool      // a look at the running commands' output is due

	uplink  uplink
	reports reports

	leaving bool
	failure error
	status  Status
}

// New prepares the agent of the machine that is registered in c.Dir. It refuses a directory that was
// copied from another machine.
func New(c Config) (*Agent, error) {
	c = c.withDefaults()
	id, err := LoadIdentity(c.Dir)
	if err != nil {
		return nil, err
	}
	if !id.Machine.sameAs(readMachine(c.Root)) {
		return nil, ErrCopied
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil { // commands run elsewhere
		return nil, err
	}
	boot := c.Boot
	if boot == "" {
		if boot, err = bootID(); err != nil {
			return nil, fmt.Errorf("find out the machine's boot: %w", err)
		}
	}
	d, err := newDialer(&id, proxy(cmp.Or(c.Proxy, id.Proxy)), c.Transport)
	if err != nil {
		return nil, err
	}
	return &Agent{
		zone: newZone(c.Root),
		cfg:  c, dialer: d, engine: docker.New(c.Docker), log: c.Log.With("instance", id.Instance), identity: id, boot: boot, made: time.Now(), link: rand.Text(),
		events: make(chan func()), over: make(chan struct{}),
		tasks: map[Occurrence]*task{}, active: map[Occurrence]*task{},
		reports: reports{queued: map[Occurrence]bool{}},
	}, nil
}

// Run connects to the server and works until ctx ends, which is no error, or until the server says
// that there is no place for this agent. It may be called once.
func (a *Agent) Run(ctx context.Context) error {
	journal, err := a.openJournal(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := journal.Close(); err != nil {
			a.log.Error("the journal cannot be closed", "error", err)
		}
	}()
	a.journal = journal
	if journal.Copied() {
		a.log.Warn("the journal is a copy: what it held belongs to another agent")
	}
	if err := os.MkdirAll(a.workDir(), 0o700); err != nil {
		return fmt.Errorf("make working directory: %w", err)
	}
	a.openCgroups()
	defer a.groups.Wait()
	a.takeOver()
	defer close(a.over)
	a.begin()
	defer a.leave()
	a.connect()
	defer a.disconnect()
	a.log.Info("agent runs", "version", a.cfg.Version, "link", a.link)
	return a.serve(ctx.Done())
}

// lockPatience is how long a dead agent's last child may take to execute its program.
const lockPatience = 2 * time.Second

// openJournal opens the journal when it is free. An agent that was killed while it forked leaves a
// child that has the journal's lock until it executes the script. Waiting for that means too that
// such a child is found by its mark afterwards.
func (a *Agent) openJournal(ctx context.Context) (*Journal, error) {
	tick := time.NewTicker(lockPatience / 200)
	defer tick.Stop()
	for end := time.Now().Add(lockPatience); ; {
		j, err := OpenJournal(filepath.Join(a.cfg.Dir, "journal"), a.boot)
		if !errors.Is(err, ErrJournalInUse) || time.Now().After(end) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// openCgroups finds out whether commands can have control groups of their own.
func (a *Agent) openCgroups() {
	dir := sha256.Sum256([]byte(a.cfg.Dir))
	groups, err := proc.OpenCgroups("orderly-" + hex.EncodeToString(dir[:6]) + "-")
	if err != nil {
		a.log.Info("commands have no control groups: their descendants are looked for in the list of processes", "reason", err)
		return
	}
	a.groups = groups
}

// serve handles events until it is told to quit and all that runs has ended.
func (a *Agent) serve(quit <-chan struct{}) error {
	var deadline <-chan time.Time
	for !a.finished() {
		select {
		case f := <-a.events:
			f()
		case <-quit:
			a.leaving, quit = true, nil
		case <-deadline:
			a.log.Warn("not all has ended in time", "running", len(a.active))
			return a.failure
		}
		if a.leaving && deadline == nil {
			deadline = time.After(a.cfg.Times.Leave)
			a.stopAll()
		}
	}
	return a.failure
}

// finished reports whether there is nothing more to do here.
func (a *Agent) finished() bool {
	return a.leaving && len(a.active) == 0 && (a.reports.none() || !a.uplink.welcome)
}

// leave tells that the agent ends; why it has to, stays.
func (a *Agent) leave() {
	if a.failure == nil {
		a.stand(Away)
	}
}

// fail makes Run end with an error.
func (a *Agent) fail(err error) {
	a.failure, a.leaving = err, true
}

// post has f called by Run, unless that has ended.
func (a *Agent) post(f func()) {
	select {
	case a.events <- f:
	case <-a.over:
	}
}

// after has f called by Run when d is over.
func (a *Agent) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { a.post(f) })
}

// workDir is where scripts are.
func (a *Agent) workDir() string { return filepath.Join(a.cfg.Dir, "work") }
