package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// Defaults of an activation (rule MI-1).
const (
	defaultTTL   = 4 * time.Hour
	defaultCount = 10
)

// created is what a repeated CreateActivation is answered with.
type created struct{ ID, Code string }

// CreateActivation makes an activation and its code, which is shown this once only.
func (f *Fleet) CreateActivation(ctx context.Context, c orderly.Caller, a orderly.Activation, r engine.Repetition) (id, code string, err error) {
	if err := f.engine.CheckRegion(a.Region); err != nil {
		return "", "", err
	}
	if a.TTL == 0 {
		a.TTL = min(defaultTTL, time.Duration(f.cfg.Activation.Hours)*time.Hour)
	}
	if a.Count == 0 {
		a.Count = min(defaultCount, f.cfg.Activation.Instances)
	}
	if err := errors.Join(a.Check(f.cfg.Activation), orderly.CheckTags(a.Tags)); err != nil {
		return "", "", err
	}
	answer, _, err := f.engine.Once(ctx, c, a.Region, r, func(tx *store.Tx) (string, error) {
		if err := tx.LockAccount(c.Account); err != nil {
			return "", err
		}
		n, err := tx.CountActivations(c.Account, a.Region)
		if err != nil {
			return "", err
		}
		if n >= f.cfg.MaxCodes {
			return "", orderly.ActivationQuota
		}
		made := created{ID: strings.ToUpper(uuid.NewString()), Code: newCode(a.Region)}
		a.Seq, a.ID, a.Account, a.Created = f.db.NextSeq(), made.ID, c.Account, tx.Now
		hash := sha256.Sum256([]byte(made.Code))
		a.CodeHash = hash[:]
		text, err := json.Marshal(made)
		if err != nil {
			return "", err
		}
		return f.db.Seal(text), tx.AddActivation(a)
	})
	if err != nil {
		return "", "", err
	}
	text, err := f.db.Unseal(answer)
	if err != nil {
		return "", "", err
	}
	var made created
	err = json.Unmarshal(text, &made)
	return made.ID, made.Code, err
}

// newCode makes an activation code in its published shape (rule ID-3).
func newCode(region string) string {
	b := make([]byte, 24)
	rand.Read(b)
	letters := orderly.NewID("a", region, 0)[2:4]
	return "a-" + letters + "0" + base64.RawStdEncoding.EncodeToString(b)
}

// Activations lists the caller's activations, newest first, and counts all that match.
func (f *Fleet) Activations(ctx context.Context, c orderly.Caller, flt store.ActivationFilter, p store.Page) ([]orderly.Activation, int, error) {
	flt.Account = c.Account
	return f.db.Activations(ctx, flt, p)
}

// DisableActivation ends registrations with an activation for good; repeating it is fine (MI-3).
func (f *Fleet) DisableActivation(ctx context.Context, c orderly.Caller, region, id string) (orderly.Activation, error) {
	return f.activation(ctx, c, region, id, func(tx *store.Tx, a *orderly.Activation) error {
		a.Disabled = true
		return tx.SaveActivation(*a)
	})
}

// DeleteActivation removes an activation that nobody registered with (MI-3).
func (f *Fleet) DeleteActivation(ctx context.Context, c orderly.Caller, region, id string) (orderly.Activation, error) {
	return f.activation(ctx, c, region, id, func(tx *store.Tx, a *orderly.Activation) error {
		if a.Registered > 0 {
			return orderly.ActivationInUse
		}
		return tx.DeleteActivation(a.ID)
	})
}

// activation changes one of the caller's activations.
func (f *Fleet) activation(ctx context.Context, c orderly.Caller, region, id string, change func(*store.Tx, *orderly.Activation) error) (a orderly.Activation, err error) {
	if err := f.engine.CheckRegion(region); err != nil {
		return a, err
	}
	err = f.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		if a, err = tx.Activation(id); errors.Is(err, store.ErrNotFound) || err == nil && (a.Account != c.Account || a.Region != region) {
			return orderly.ActivationUnknown
		}
		if err != nil {
			return err
		}
		return change(tx, &a)
	})
	return a, err
}
