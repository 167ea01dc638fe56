// Package fleet keeps the machines: activation codes, registration, identity, presence and
// deregistration. What is about tasks it asks the engine to do.
package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// Config is how a fleet is kept; the zero value of each field means the default named there.
type Config struct {
	Activation orderly.ActivationLimits // 4 h, 1000 uses (MI-1)
	MaxCodes   int                      // 10; activation codes per account and region
	Fresh      time.Duration            // 2 min; how old a heartbeat may be (HB-1)
	Census     time.Duration            // 5 min; between counts of who is online
	CensusKept time.Duration            // 30 days; for which they are kept
	Log        *slog.Logger             // slog.Default()
	Gone       func(instance string)    // told of each deregistered instance, after the commit
}

// Fleet is the machines of one database.
type Fleet struct {
	db     *store.DB
	engine *engine.Engine
	cfg    Config
}

// maxHours is as many as a time can be far away.
const maxHours = 1 << 21

// New makes a fleet.
func New(db *store.DB, e *engine.Engine, cfg Config) *Fleet {
	if cfg.Activation.Hours == 0 {
		cfg.Activation.Hours = 4
	}
	cfg.Activation.Hours = min(cfg.Activation.Hours, maxHours)
	if cfg.Activation.Instances == 0 {
		cfg.Activation.Instances = 1000
	}
	if cfg.MaxCodes == 0 {
		cfg.MaxCodes = 10
	}
	if cfg.Fresh == 0 {
		cfg.Fresh = orderly.DefaultLimits.Fresh
	}
	if cfg.Census == 0 {
		cfg.Census = 5 * time.Minute
	}
	if cfg.CensusKept == 0 {
		cfg.CensusKept = 30 * 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Gone == nil {
		cfg.Gone = func(string) {}
	}
	return &Fleet{db, e, cfg}
}

// Instances lists the caller's instances, newest first, and counts all that match.
func (f *Fleet) Instances(ctx context.Context, c orderly.Caller, flt store.InstanceFilter, p store.Page) ([]orderly.Instance, int, error) {
	flt.Account, flt.Fresh = c.Account, f.cfg.Fresh
	return f.db.Instances(ctx, flt, p)
}

// Connected reports whether an instance gave a sign of life lately (rule HB-1).
func (f *Fleet) Connected(i orderly.Instance) bool { return i.Presence.Fresh(f.db.Now(), f.cfg.Fresh) }

// Status tells whether a machine runs, as far as its agent tells.
func (f *Fleet) Status(i orderly.Instance) orderly.InstanceStatus {
	return i.Presence.Status(f.db.Now(), f.cfg.Fresh)
}

// Rename gives one of the caller's instances another name (MI-8).
func (f *Fleet) Rename(ctx context.Context, c orderly.Caller, region, id, name string) error {
	if err := f.engine.CheckRegion(region); err != nil {
		return err
	}
	if err := orderly.CheckInstanceName(name, 128); err != nil {
		return err
	}
	return f.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		if _, err := f.instance(tx, c, region, id); err != nil {
			return err
		}
		return tx.Renamed(id, name)
	})
}

func (f *Fleet) instance(tx *store.Tx, c orderly.Caller, region, id string) (orderly.Instance, error) {
	i, err := tx.Instance(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (i.Account != c.Account || i.Region != region) {
		return i, orderly.InstanceUnknown
	}
	return i, err
}

// Deregister takes one of the caller's instances out of the fleet: its live tasks end, its agent is
// cut off, its past stays (MI-7). A repetition with the same client token gets the same answer.
func (f *Fleet) Deregister(ctx context.Context, c orderly.Caller, region, id string, r engine.Repetition) (orderly.Instance, error) {
	if err := f.engine.CheckRegion(region); err != nil {
		return orderly.Instance{}, err
	}
	answer, again, err := f.engine.Once(ctx, c, region, r, func(tx *store.Tx) (string, error) {
		i, err := f.instance(tx, c, region, id)
		if err != nil {
			return "", err
		}
		if err := f.deregister(tx, i); err != nil {
			return "", err
		}
		text, err := json.Marshal(i)
		return string(text), err
	})
	if err != nil {
		return orderly.Instance{}, err
	}
	if !again {
		f.cfg.Gone(id)
	}
	if err := f.engine.ReleaseRest(ctx, id, orderly.InstanceDeregistered); err != nil {
		return orderly.Instance{}, err
	}
	var i orderly.Instance
	if err := json.Unmarshal([]byte(answer), &i); err != nil {
		return i, fmt.Errorf("read a remembered answer: %w", err)
	}
	return i, nil
}

func (f *Fleet) deregister(tx *store.Tx, i orderly.Instance) error {
	if err := tx.Deregistered(i.ID); err != nil {
		return err
	}
	if err := f.engine.Release(tx, i.ID, orderly.InstanceDeregistered); err != nil {
		return err
	}
	a, err := tx.Activation(i.Activation)
	if err != nil {
		return err
	}
	a.Deregistered++
	return tx.SaveActivation(a)
}
