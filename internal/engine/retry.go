package engine

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Invocation finds an invocation of the caller's.
func (e *Engine) Invocation(ctx context.Context, c orderly.Caller, region, id string) (orderly.Invocation, error) {
	v, err := e.db.Invocation(ctx, c, region, id)
	if errors.Is(err, store.ErrNotFound) {
		err = orderly.InvocationUnknown
	}
	return v, err
}

// Retried is what is run once more.
type Retried struct {
	Region, InvokeID string
	Unknown          bool // also where nobody knows what became of it
}

// Retry runs what an invocation ran once more, as it was then, on the machines where it failed and which
// are still of the fleet: there may be as many as orderly:all selects. Where nobody knows what became of it,
// it may run twice then: that is done only when unknown is set.
func (e *Engine) Retry(ctx context.Context, c orderly.Caller, of Retried, r Repetition) (Answer, error) {
	region := of.Region
	v, err := e.Invocation(ctx, c, region, of.InvokeID)
	if err != nil {
		return Answer{}, err
	}
	if v.Repeat.Recurs() {
		return Answer{}, orderly.RepeatModeUnknown.Errorf("what repeats is not retried: its next run comes by itself")
	}
	on, err := e.db.FailedOn(ctx, v.Seq, of.Unknown, e.cfg.MaxAll)
	if err != nil {
		return Answer{}, err
	}
	q := Request{
		Region: region, Target: orderly.Target{Instances: on}, MaxNamed: e.cfg.MaxAll, Command: v.Command, Repeat: v.Repeat, Termination: v.Termination,
		Username: v.Username, PasswordName: v.WindowsPasswordName, ContainerID: v.ContainerID, ContainerName: v.ContainerName,
		ResourceGroup: v.ResourceGroup, Tags: v.Tags,
	}
	q.Command.ID = ""
	if v.WaitForAway {
		q.Delivery = &v.Delivery
	}
	if len(v.Parameters) > 0 {
		text, err := json.Marshal(v.Parameters)
		if err != nil {
			return Answer{}, err
		}
		q.Parameters = string(text)
	}
	return e.RunCommand(ctx, c, q, r)
}
