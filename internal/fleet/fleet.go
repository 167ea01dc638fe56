// Package fleet keeps the machines: activation codes, registration, identity, presence and
// deregistration. What is about tasks it asks the engine to do.
package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// Config is how a fleet is kept; the zero value of each field means the default named there.
type Config struct {
	Activation orderly.ActivationLimits // 4 h, 1000 uses (MI-1)
	MaxCodes   int                      // 10; activation codes per account and region
	Fresh      time.Duration            // 2 min; how old a heartbeat may be (HB-1)
	Gone       func(instance string)    // told of each deregistered instance, after the commit
}

// Fleet is the machines of one database.
type Fleet struct {
	db     *store.DB
	engine *engine.Engine
	cfg    Config
}

// New makes a fleet.
func New(db *store.DB, e *engine.Engine, cfg Config) *Fleet {
	if cfg.Activation.Hours == 0 {
		cfg.Activation.Hours = 4
	}
	if cfg.Activation.Instances == 0 {
		cfg.Activation.Instances = 1000
	}
	if cfg.MaxCodes == 0 {
		cfg.MaxCodes = 10
	}
	if cfg.Fresh == 0 {
		cfg.Fresh = orderly.DefaultLimits.Fresh
	}
	if cfg.Gone == nil {
		cfg.Gone = func(string) {}
	}
	return &Fleet{db, e, cfg}
}

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
		a.TTL = defaultTTL
	}
	if a.Count == 0 {
		a.Count = defaultCount
	}
	if err := errors.Join(a.Check(f.cfg.Activation), orderly.CheckTags(a.Tags)); err != nil {
		return "", "", err
	}
	answer, _, err := f.engine.Once(ctx, c, a.Region, r, func(tx *store.Tx) (string, error) {
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

// A Registration is what a machine says of itself when it registers.
type Registration struct {
	ActivationID, ActivationCode string
	From                         netip.Addr
	Instance                     orderly.Instance // name asked for, key, machine, OS, agent, addresses, tags
}

// Register makes a machine one of the fleet. A repetition with the same key and code, which follows
// when the first answer was lost, gets the same instance and uses the code once.
func (f *Fleet) Register(ctx context.Context, r Registration) (orderly.Instance, error) {
	if err := f.checkRegistration(&r); err != nil {
		return orderly.Instance{}, err
	}
	var i orderly.Instance
	err := f.db.Write(ctx, store.Interactive, func(tx *store.Tx) (err error) {
		a, err := tx.Activation(r.ActivationID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		hash := sha256.Sum256([]byte(r.ActivationCode))
		if err != nil || subtle.ConstantTimeCompare(hash[:], a.CodeHash) != 1 {
			return orderly.ActivationRefused
		}
		if i, err = tx.InstanceByKey(r.Instance.PublicKey); err == nil && i.Activation == a.ID {
			return nil
		} else if err == nil {
			return orderly.RegistrationMalformed.Errorf("the key belongs to another instance")
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := a.Admits(tx.Now, r.From); err != nil {
			return err
		}
		i = f.newInstance(r, &a, tx.Now)
		if err := tx.SaveActivation(a); err != nil {
			return err
		}
		return tx.AddInstance(i)
	})
	if errors.Is(err, store.ErrTaken) {
		return i, orderly.RegistrationMalformed.Errorf("the key has been used before: make a new one")
	}
	return i, err
}

func (f *Fleet) newInstance(r Registration, a *orderly.Activation, now time.Time) orderly.Instance {
	a.Registered++
	i := r.Instance
	i.Seq, i.Account, i.Region, i.Activation = f.db.NextSeq(), a.Account, a.Region, a.ID
	i.ID = orderly.NewID(orderly.InstancePrefix, a.Region, i.Seq)
	i.Name = a.InstanceName(a.Registered, i.Name, i.Hostname)
	i.ResourceGroup, i.Registered = a.ResourceGroup, now
	if i.InternetIP == "" && r.From.IsValid() {
		i.InternetIP = r.From.Unmap().String()
	}
	if i.MachineID == "" {
		i.MachineID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(i.PublicKey)).String()
	}
	return i
}

func (f *Fleet) checkRegistration(r *Registration) error {
	i := &r.Instance
	if !nkeys.IsValidPublicUserKey(i.PublicKey) {
		return orderly.RegistrationMalformed.Errorf("publicKey is no public key of a user")
	}
	switch i.OS {
	case orderly.Linux, orderly.Windows, orderly.FreeBSD:
	default:
		return orderly.RegistrationMalformed.Errorf("os must be linux, windows or FreeBSD")
	}
	if i.Name != "" {
		if err := orderly.CheckInstanceName(i.Name, 128); err != nil {
			return err
		}
	}
	for name, v := range map[string]struct {
		text string
		max  int
	}{"machineId": {i.MachineID, 36}, "hostname": {i.Hostname, 253}, "osVersion": {i.OSVersion, 128}, "agentVersion": {i.AgentVersion, 64}} {
		if len(v.text) > v.max || strings.ContainsFunc(v.text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return orderly.RegistrationMalformed.Errorf("%s is too long or holds control characters", name)
		}
	}
	if i.IntranetIP != "" {
		if _, err := netip.ParseAddr(i.IntranetIP); err != nil {
			return orderly.RegistrationMalformed.Errorf("intranetIp is no address")
		}
	}
	return orderly.CheckTags(i.Tags)
}

// Instances lists the caller's instances, newest first, and counts all that match.
func (f *Fleet) Instances(ctx context.Context, c orderly.Caller, flt store.InstanceFilter, p store.Page) ([]orderly.Instance, int, error) {
	flt.Account, flt.Fresh = c.Account, f.cfg.Fresh
	return f.db.Instances(ctx, flt, p)
}

// Connected reports whether an instance gave a sign of life lately (rule HB-1).
func (f *Fleet) Connected(i orderly.Instance) bool { return i.Presence.Fresh(f.db.Now(), f.cfg.Fresh) }

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
