package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly/internal/wire"
)

// RegisterConfig is how a machine is registered. Dir, Server, ActivationID and ActivationCode are
// needed.
type RegisterConfig struct {
	Dir            string // where the agent keeps its things; made if need be
	Server         string // https://host:port, or http:// on this machine; several with commas between
	ActivationID   string
	ActivationCode string
	CAFingerprint  string // SHA-256 of the server's CA, "sha256:<hex>"; "": the system's CAs are trusted
	Name           string // of the instance; "": the server makes one
	Force          bool   // replaces a registration
	Version        string // of the program; "dev"
	Proxy          string // URL of an HTTP proxy, NoProxy, or "": HTTPS_PROXY and NO_PROXY say; it is remembered
	Root           string // of the file system that has the facts about the machine; "/"
}

// A Refusal is why a server does not register a machine.
type Refusal struct {
	Status int // of HTTP
	wire.Problem
}

func (r *Refusal) Error() string {
	return "the server refuses: " + cmp.Or(r.Message, r.Code, http.StatusText(r.Status))
}

const (
	registerTimeout = time.Minute
	maxAnswer       = 1 << 20
)

// Register makes this machine an instance and remembers in c.Dir who it is. A registration whose
// answer was lost can be repeated: it comes with the same key, and the server answers the same.
func Register(ctx context.Context, c RegisterConfig) (Identity, error) {
	c.Root, c.Version = cmp.Or(c.Root, "/"), cmp.Or(c.Version, "dev")
	servers, err := c.ways()
	if err != nil {
		return Identity{}, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return Identity{}, fmt.Errorf("make directory: %w", err)
	}
	if err := makePrivate(c.Dir); err != nil {
		return Identity{}, err
	}
	journal := filepath.Join(c.Dir, "journal")
	lock, err := lockFile(journal + ".lock") // no agent may run meanwhile
	if errors.Is(err, ErrJournalInUse) {
		return Identity{}, errors.New("an agent is running here: end it first")
	}
	if err != nil {
		return Identity{}, err
	}
	defer lock.Close()
	pending, err := c.pending()
	if err != nil {
		return Identity{}, err
	}
	id, err := c.askAny(ctx, servers, pending)
	if err != nil {
		return Identity{}, err
	}
	return id, c.settle(&id, journal)
}

// settle makes id the machine's identity, with a journal that begins with it.
func (c *RegisterConfig) settle(id *Identity, journal string) error {
	if err := os.Remove(journal); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("begin a new journal: %w", err)
	}
	if err := id.save(filepath.Join(c.Dir, identityFile)); err != nil {
		return err
	}
	return os.Remove(filepath.Join(c.Dir, pendingFile))
}

// pending is an identity with nothing but a key, which is on disk before it is used.
func (c *RegisterConfig) pending() (Identity, error) {
	_, err := os.Stat(filepath.Join(c.Dir, identityFile))
	if err == nil && !c.Force {
		return Identity{}, ErrRegistered
	}
	path := filepath.Join(c.Dir, pendingFile)
	now := readMachine(c.Root)
	id, err := loadIdentity(path)
	if err == nil && !c.Force && id.Seed != "" && id.Machine.sameAs(now) {
		id.Machine = now
		return id, nil
	}
	key, err := nkeys.CreateUser()
	if err != nil {
		return id, fmt.Errorf("make a key: %w", err)
	}
	seed, err := key.Seed()
	if err != nil {
		return id, fmt.Errorf("make a key: %w", err)
	}
	id = Identity{Seed: string(seed), Machine: now}
	return id, id.save(path)
}

// reached is a server's URL, and a client that takes nobody else for that server.
type reached struct {
	url    *url.URL
	client *http.Client
}

// ways are the servers that may register the machine.
func (c *RegisterConfig) ways() ([]reached, error) {
	p := proxy(c.Proxy)
	if err := p.check(); err != nil {
		return nil, err
	}
	var list []reached
	for _, s := range c.servers() {
		u, err := parseServer(s)
		if err != nil {
			return nil, err
		}
		config, err := trust(u.Hostname(), c.CAFingerprint)
		if err != nil {
			return nil, err
		}
		list = append(list, reached{u, p.client(config, registerTimeout)})
	}
	return list, nil
}

// servers are the URLs in c.Server.
func (c *RegisterConfig) servers() []string { return strings.Split(c.Server, ",") }

// askAny has the first server that answers register the machine of pending. The others need not be asked
// when one refuses: they have one mind.
func (c *RegisterConfig) askAny(ctx context.Context, servers []reached, pending Identity) (Identity, error) {
	var errs []error
	for _, s := range servers {
		id, err := c.ask(ctx, s, pending)
		if _, refused := errors.AsType[*Refusal](err); err == nil || refused {
			return id, err
		}
		errs = append(errs, err)
	}
	return Identity{}, errors.Join(errs...)
}

// ask has one server register the machine of pending.
func (c *RegisterConfig) ask(ctx context.Context, server reached, pending Identity) (Identity, error) {
	body, err := c.registration(&pending, server.url.Hostname())
	if err != nil {
		return Identity{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.url.JoinPath(wire.RegisterPath).String(), bytes.NewReader(body))
	if err != nil {
		return Identity{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := server.client.Do(req)
	if err != nil {
		return Identity{}, fmt.Errorf("register: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Identity{}, fmt.Errorf("register: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		refusal := &Refusal{Status: resp.StatusCode}
		if refusal.Problem, err = wire.Decode[wire.Problem](answer); err != nil {
			refusal.Problem = wire.Problem{Message: "it answers " + resp.Status}
		}
		return Identity{}, refusal
	}
	pending.Server, pending.Servers, pending.Proxy, pending.Pinned = server.url.String(), c.servers(), c.Proxy, c.CAFingerprint
	return accept(pending, answer)
}

func (c *RegisterConfig) registration(pending *Identity, server string) ([]byte, error) {
	key, err := nkeys.FromSeed([]byte(pending.Seed))
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return wire.Encode(wire.Registration{
		ActivationID: c.ActivationID, ActivationCode: c.ActivationCode, PublicKey: public, Name: c.Name,
		MachineID: pending.Machine.id(), Hostname: host, IntranetIP: intranetIP(server),
		OS: string(osType()), OSVersion: osVersion(c.Root), AgentVersion: c.Version,
	}), nil
}

// accept completes an identity with the server's answer, if that makes sense.
func accept(id Identity, answer []byte) (Identity, error) {
	r, err := wire.Decode[wire.Registered](answer)
	if err != nil {
		return id, fmt.Errorf("register: the answer is not a server's: %w", err)
	}
	if r.InstanceID == "" || strings.ContainsAny(r.InstanceID, ".*> \t\r\n") {
		return id, errors.New("register: the answer has no instance ID")
	}
	id.Instance, id.Region, id.Name, id.NATS, id.CA = r.InstanceID, r.Region, r.Name, r.NATS, r.CA
	if id, err = id.moved(r.Addresses); err != nil {
		return id, fmt.Errorf("register: %w", err)
	}
	return id, nil
}
