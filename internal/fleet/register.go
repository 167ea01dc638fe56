package fleet

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

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
		i, err = f.register(tx, r)
		return err
	})
	if errors.Is(err, store.ErrTaken) {
		return i, orderly.RegistrationMalformed.Errorf("the key has been used before: make a new one")
	}
	return i, err
}

func (f *Fleet) register(tx *store.Tx, r Registration) (i orderly.Instance, err error) {
	a, err := tx.Activation(r.ActivationID) // under lock: uses are counted one after the other
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return i, err
	}
	hash := sha256.Sum256([]byte(r.ActivationCode))
	if err != nil || subtle.ConstantTimeCompare(hash[:], a.CodeHash) != 1 {
		return i, orderly.ActivationRefused
	}
	if i, err = tx.InstanceByKey(r.Instance.PublicKey); err == nil && i.Activation == a.ID {
		return i, nil
	} else if err == nil {
		return i, orderly.RegistrationMalformed.Errorf("the key belongs to another instance")
	} else if !errors.Is(err, store.ErrNotFound) {
		return i, err
	}
	if err := a.Admits(tx.Now, r.From); err != nil {
		return i, err
	}
	i = f.newInstance(r, &a, tx.Now)
	if err := tx.SaveActivation(a); err != nil {
		return i, err
	}
	return i, tx.AddInstance(i)
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

// maxActivationID is more bytes than the ID of any activation has.
const maxActivationID = 64

// hasControl reports whether text holds control characters, or is none.
func hasControl(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl)
}

func (f *Fleet) checkRegistration(r *Registration) error {
	i := &r.Instance
	if len(r.ActivationID) > maxActivationID || hasControl(r.ActivationID) {
		return orderly.ActivationRefused
	}
	if !nkeys.IsValidPublicUserKey(i.PublicKey) || hasControl(i.PublicKey) { // its encoding may hold line breaks
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
	if err := checkTexts(i); err != nil {
		return err
	}
	return orderly.CheckTags(i.Tags)
}

// checkTexts checks what a machine says of itself in its own words.
func checkTexts(i *orderly.Instance) error {
	for _, v := range []struct {
		name, text string
		limit      int
	}{{"machineId", i.MachineID, 36}, {"hostname", i.Hostname, 253}, {"osVersion", i.OSVersion, 128}, {"agentVersion", i.AgentVersion, 64}} {
		if len(v.text) > v.limit || hasControl(v.text) {
			return orderly.RegistrationMalformed.Errorf("%s is too long or holds control characters", v.name)
		}
	}
	if i.IntranetIP != "" {
		if a, err := netip.ParseAddr(i.IntranetIP); err != nil || a.Zone() != "" {
			return orderly.RegistrationMalformed.Errorf("intranetIp is no address")
		}
	}
	return nil
}
