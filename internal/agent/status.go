package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/orderly-run/orderly/internal/wire"
)

// A Standing is how an agent stands with its server.
type Standing string

// The standings.
const (
	Connecting   Standing = "connecting"
	Connected    Standing = "connected"
	Duplicate    Standing = "duplicate"    // the server says that another agent is this instance
	Deregistered Standing = "deregistered" // it says that the instance is gone
	Outdated     Standing = "outdated"     // it does not speak this agent's protocol
	Away         Standing = "ended"        // it was told to end
)

// A Status is what an agent tells of itself in a file of its directory.
type Status struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Standing  Standing  `json:"standing"`
	Since     time.Time `json:"since"`               // of Standing
	Bus       string    `json:"bus,omitempty"`       // the one it was last connected to
	Transport Transport `json:"transport,omitempty"` // and by what
	Error     string    `json:"error,omitempty"`     // the last one of the connection
	ErrorAt   time.Time `json:"errorAt,omitzero"`

	Running bool `json:"-"` // there is an agent at work, which wrote this
}

const statusFile = "status.json"

// ReadStatus is what the agent of a directory last told of itself, zero if it never did.
func ReadStatus(dir string) (s Status, err error) {
	data, err := os.ReadFile(filepath.Join(dir, statusFile))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read status: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "journal.lock"))
	if errors.Is(err, ErrJournalInUse) {
		s.Running = true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, lock.Close()
}

// begin tells that the agent runs.
func (a *Agent) begin() {
	now := time.Now()
	a.status = Status{PID: os.Getpid(), Version: a.cfg.Version, Started: now, Standing: Connecting, Since: now}
	a.saveStatus()
}

// stand tells how the agent stands with its server now.
func (a *Agent) stand(s Standing) {
	if a.status.Standing == s {
		return
	}
	a.status.Standing, a.status.Since = s, time.Now()
	a.saveStatus()
}

// dismissals is how an agent stands after a goodbye, by its reason.
var dismissals = map[string]Standing{wire.ByeDuplicate: Duplicate, wire.ByeDeregistered: Deregistered, wire.ByeVersion: Outdated}

// troubled tells of an error of the connection.
func (a *Agent) troubled(err error) {
	if err == nil {
		return
	}
	a.status.Error, a.status.ErrorAt = err.Error(), time.Now()
	a.saveStatus()
}

// saveStatus writes the file. Nothing depends on it: a full disk is told of in more important places.
func (a *Agent) saveStatus() {
	data, err := json.MarshalIndent(a.status, "", "  ")
	if err == nil {
		err = replaceFile(filepath.Join(a.cfg.Dir, statusFile), append(data, '\n'))
	}
	if err != nil {
		a.log.Debug("the status cannot be written", "error", err)
	}
}
