package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
	"github.com/orderly-run/orderly/internal/store"
)

// A Request asks to run a command on instances.
type Request struct {
	Region string
	Target orderly.Target

	// Command is the new command to run, or with InvokeCommand only its ID and what this invocation
	// sets differently: WorkingDir, Launcher and Timeout, when they are not zero.
	Command     orderly.Command
	File        *orderly.File // to put on the instances instead: see SendFile
	KeepCommand bool
	MaxTags     int    // how many tags may select the targets, by operation (TGT-3)
	MaxNamed    int    // how many instances may be named; 0 for Config.MaxTargets
	Parameters  string // JSON object

	// What is asked for in other sizes than Config.Command has; 0 for those.
	MaxContent    int // bytes of the content in Base64, with its parameters (SZ-1)
	MaxParameters int // values (PAR-3)

	Repeat        orderly.RepeatMode
	Frequency     string // makes it Period, unless it is a DryRun (RM-2)
	Termination   orderly.TerminationMode
	Username      string
	PasswordName  string
	ContainerID   string // to run in, or its name; where that is not "", the user and the directory count for nothing (CT-2)
	ContainerName string
	ResourceGroup string
	Tags          []orderly.Tag
	Delivery      *time.Duration // DeliveryTimeout, nil when it is not given (DLV-1)

	values map[string]string   // of Parameters, once they are read
	times  schedule.Expression // of Frequency
}

// An Answer is what Run and Invoke return.
type Answer struct {
	InvokeID  string
	CommandID string
}

// DeliveryTimeout's range (rule DLV-1).
const (
	minDelivery = 10 * time.Second
	maxDelivery = 604800 * time.Second
)

// RunCommand creates a command and runs it at once. When it has returned, nothing is lost any more:
// the invocation, its tasks and whom they are handed to are in the database.
//
// Its checks, and InvokeCommand's, come in the order of ERR-1: what the request alone shows before
// the database is asked for anything, then whether the things that it names exist, whether they
// suit each other, and what may be had.
func (e *Engine) RunCommand(ctx context.Context, c orderly.Caller, q Request, r Repetition) (Answer, error) {
	if err := e.CheckRun(&q, r); err != nil {
		return Answer{}, err
	}
	if q.Command.Tags = nil; q.KeepCommand {
		q.Command.Tags = q.Tags
	}
	return e.invoke(ctx, c, q, r)
}

// CheckRun finds what RunCommand refuses of a request before it asks the database, and puts it in the form
// in which it would be run.
func (e *Engine) CheckRun(q *Request, r Repetition) error {
	if err := e.CheckRegion(q.Region); err != nil {
		return err
	}
	q.KeepCommand = q.KeepCommand && q.Repeat != orderly.DryRun // what only checks leaves nothing behind (RM-5)
	q.Command.Region, q.Command.Kept = q.Region, q.KeepCommand
	q.Command.ResourceGroup = q.ResourceGroup
	l := e.cfg.Command
	l.ContentBytes = math.MaxInt // measured when the parameters are in (SZ-2)
	if err := q.Command.Check(l); err != nil {
		return err
	}
	if err := e.check(q, r); err != nil {
		return err
	}
	return e.suits(&q.Command, *q)
}

// CheckTarget finds what is wrong with the form of where a request is to run.
func (e *Engine) CheckTarget(t *orderly.Target, q Request) error {
	return t.Check(orDefault(q.MaxNamed, e.cfg.MaxTargets), q.MaxTags)
}

// MaxTargets is how many instances a request may select.
func (e *Engine) MaxTargets(t orderly.Target) int { return e.maxTargets(Request{Target: t}) }

// InvokeCommand runs a stored command.
func (e *Engine) InvokeCommand(ctx context.Context, c orderly.Caller, q Request, r Repetition) (Answer, error) {
	if err := e.CheckRegion(q.Region); err != nil {
		return Answer{}, err
	}
	if err := orderly.CheckWorkingDir(q.Command.WorkingDir); err != nil {
		return Answer{}, err
	}
	if err := orderly.CheckLauncher(q.Command.Launcher); err != nil {
		return Answer{}, err
	}
	if _, err := e.cfg.Command.Timeout(q.Command.Timeout); err != nil {
		return Answer{}, err
	}
	if err := e.check(&q, r); err != nil {
		return Answer{}, err
	}
	if q.Command.ID == "" {
		return Answer{}, orderly.CommandUnknown
	}
	q.KeepCommand = true
	return e.invoke(ctx, c, q, r)
}

// command is the one to run: RunCommand's new one, which has no ID yet, or that which InvokeCommand
// names, with what this invocation sets (CMD-6).
func (e *Engine) command(tx *store.Tx, c orderly.Caller, q Request) (orderly.Command, error) {
	if q.Command.ID == "" {
		return q.Command, nil
	}
	cmd, err := e.kept(tx, c, q.Region, q.Command.ID)
	if err != nil {
		return cmd, err
	}
	if q.Command.WorkingDir != "" {
		cmd.WorkingDir = q.Command.WorkingDir
	}
	if q.Command.Launcher != "" {
		cmd.Launcher = q.Command.Launcher
	}
	if q.Command.Timeout != 0 {
		cmd.Timeout, err = e.cfg.Command.Timeout(q.Command.Timeout)
	}
	return cmd, err
}

// check finds what is wrong with a request's form, and reads its parameters.
func (e *Engine) check(q *Request, r Repetition) (err error) {
	if err := e.CheckTarget(&q.Target, *q); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if err := orderly.CheckTags(q.Tags); err != nil {
		return err
	}
	if err := orderly.CheckUser(q.Username, q.PasswordName); err != nil {
		return err
	}
	if err := orderly.CheckContainer(q.ContainerID, q.ContainerName); err != nil {
		return err
	}
	if q.Delivery != nil && (*q.Delivery < minDelivery || *q.Delivery > maxDelivery) {
		return orderly.DeliveryTimeoutInvalid
	}
	if q.values, err = orderly.DecodeParameters(q.Parameters, orDefault(q.MaxParameters, e.cfg.Command.Parameters)); err != nil {
		return err
	}
	return e.checkModes(q)
}

// checkModes finds what is wrong with how a request wants its command run, and sets the defaults.
func (e *Engine) checkModes(q *Request) error {
	switch q.Termination {
	case "":
		q.Termination = orderly.KillProcess
	case orderly.KillProcess, orderly.KillProcessTree:
	default:
		return orderly.TerminationModeUnknown
	}
	switch q.Repeat {
	case "":
		q.Repeat = orderly.Once
	case orderly.Once, orderly.Period, orderly.NextRebootOnly, orderly.EveryReboot, orderly.DryRun:
	default:
		return orderly.RepeatModeUnknown
	}
	switch {
	case q.Frequency != "":
		return q.readFrequency()
	case q.Repeat == orderly.Period:
		return orderly.FrequencyMissing
	}
	return nil
}

// readFrequency reads the expression, which decides the mode (RM-2).
func (q *Request) readFrequency() (err error) {
	if q.Repeat != orderly.DryRun {
		q.Repeat = orderly.Period
	}
	if q.times, err = schedule.Parse(q.Frequency); err != nil {
		return badFrequency(err)
	}
	return nil
}

// badFrequency refuses an expression in the words of its reader, which are for its author.
func badFrequency(err error) error {
	return orderly.FrequencyInvalid.Errorf("The specified Frequency is not valid: %v", err)
}

// suits finds whether a command takes what a request brings to it.
func (e *Engine) suits(cmd *orderly.Command, q Request) error {
	if err := cmd.Type.CheckPassword(q.Username, q.PasswordName); err != nil {
		return err
	}
	if err := cmd.Takes(q.values); err != nil {
		return err
	}
	if err := q.times.CheckTimeout(cmd.Timeout, e.db.Now()); err != nil {
		return badFrequency(err) // EX-1, EX-10
	}
	l := e.cfg.Command
	l.ContentBytes = orDefault(q.MaxContent, l.ContentBytes)
	return cmd.CheckRendered(q.values, l)
}

// invoke is what Run and Invoke share. Small invocations, which most are, take one transaction;
// large ones are built in pieces and shown when they are complete.
func (e *Engine) invoke(ctx context.Context, c orderly.Caller, q Request, r Repetition) (Answer, error) {
	b := &building{engine: e}
	if err := b.survey(ctx, c, q); err != nil {
		return Answer{}, err
	}
	text, again, err := e.Once(ctx, c, q.Region, r, func(tx *store.Tx) (string, error) {
		b.reset()
		if err := b.begin(tx, c, q); err != nil {
			return "", err
		}
		return b.answer(), b.piece(tx)
	})
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return Answer{}, fmt.Errorf("read a remembered answer: %w", err)
	}
	if again {
		return a, e.built(ctx, a)
	}
	// From here on the caller's going away changes nothing: it may have been seen by nobody, but a
	// repetition with its client token gets this invocation.
	return a, b.finish(context.WithoutCancel(ctx))
}

// built finds whether the invocation of a repeated request is complete (TOK-1).
func (e *Engine) built(ctx context.Context, a Answer) error {
	hidden, err := e.db.Unbuilt(ctx, a.InvokeID)
	if err == nil && hidden {
		return orderly.ClientTokenInWork
	}
	return err
}
