package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// A Trouble is one thing that keeps a machine from working for its server. Its number is the exit code of
// `orderly-agent doctor`.
type Trouble int

// The troubles.
const (
	NoTrouble Trouble = 0

	NameUnknown   Trouble = iota + 9 // 10
	Refused                          // 11
	TimedOut                         // 12
	WrongCA                          // 13
	Expired                          // 14
	ClockOff                         // 15
	ProxyLogin                       // 16
	KeyRevoked                       // 17
	DuplicateHere                    // 18
	DiskFull                         // 19
)

// Troubles has what each one means and what to do next.
var Troubles = map[Trouble]struct{ Means, Next string }{
	NameUnknown:   {"a host's name is not found (DNS)", "Look at the name in the server's address and at this machine's resolver (/etc/resolv.conf)."},
	Refused:       {"nobody listens at an address", "Look whether the server runs, and whether its port is the one in the address."},
	TimedOut:      {"nothing comes back from an address", "Ask who runs the firewall to let this machine out to it; if only 443 is open, let the server listen there."},
	WrongCA:       {"the server's certificate is signed by somebody this machine does not trust, or is for another name", "Compare the fingerprint with what the server prints when it starts; if it is right, somebody stands in between."},
	Expired:       {"the server's certificate has expired, or is not valid yet", "Renew the certificate on the server."},
	ClockOff:      {"this machine's clock is more than five minutes off the server's", "Set the clock, and have it kept by NTP (timedatectl set-ntp true)."},
	ProxyLogin:    {"the proxy wants other credentials (407)", "Give them with --proxy http://user:password@host:port."},
	KeyRevoked:    {"the server knows this machine's key no longer: it was deregistered", "Register it again: orderly-agent register --force."},
	DuplicateHere: {"another agent is connected as this instance: the machine was copied", "Register the copy again: orderly-agent register --force."},
	DiskFull:      {"the disk of the agent's directory is full", "Make room there; until then new commands are refused."},
}

// Error is what the trouble means.
func (t Trouble) Error() string { return Troubles[t].Means }

// maxClockOff is how far a clock may be off before it is a trouble.
const maxClockOff = 5 * time.Minute

// A Checkup looks for what keeps a machine from working for its server.
type Checkup struct {
	Dir           string        // the agent's; it may hold no identity when Server is given
	Server        string        // URLs as in a [RegisterConfig]; "" those of the identity
	CAFingerprint string        // with Server
	Proxy         string        // "" that of the identity
	Transport     Transport     // Auto
	Timeout       time.Duration // of each step; 10 s
	Root          string        // "/"
	Say           func(string)  // is told of each thing that is well, and of what is not but does no harm
}

// Run is nil when all is well. An error that is a [Trouble] says which one it is.
func (c Checkup) Run(ctx context.Context) error {
	c.Root, c.Timeout, c.Transport = cmp.Or(c.Root, "/"), cmp.Or(c.Timeout, 10*time.Second), cmp.Or(c.Transport, Auto)
	id, err := LoadIdentity(c.Dir)
	registered := err == nil
	if !registered && (c.Server == "" || !errors.Is(err, ErrUnregistered)) {
		return err
	}
	if registered {
		if err := c.checkHere(&id); err != nil {
			return err
		}
	}
	c.Proxy = cmp.Or(c.Proxy, id.Proxy)
	if err := c.checkServers(ctx, &id); err != nil {
		return err
	}
	if !registered {
		c.Say("this machine is not registered yet")
		return nil
	}
	if err := c.checkBus(ctx, &id); err != nil {
		return err
	}
	return c.checkAgent()
}

// checkHere looks at the directory and at the machine.
func (c *Checkup) checkHere(id *Identity) error {
	if err := tryDisk(c.Dir); err != nil {
		return diagnose(err)
	}
	c.Say("the disk takes what is written")
	if !id.Machine.sameAs(readMachine(c.Root)) {
		return fmt.Errorf("%w: %w", DuplicateHere, ErrCopied)
	}
	c.Say("this machine is " + id.Instance)
	return nil
}

// tryDisk writes about as much as a start of a command needs.
func tryDisk(dir string) error {
	path := filepath.Join(dir, "doctor.tmp")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(path) //nolint:errcheck // it is in the way of nothing
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Join(err, f.Sync(), f.Close())
}

// checkServers asks each address of the API; one that answers is enough.
func (c *Checkup) checkServers(ctx context.Context, id *Identity) error {
	servers := id.servers()
	if c.Server != "" {
		servers = (&RegisterConfig{Server: c.Server}).servers()
	}
	var first error
	well := false
	for _, s := range servers {
		err := c.checkServer(ctx, id, s)
		switch {
		case err == nil:
			well = true
			c.Say(s + " answers")
		case errors.Is(err, ClockOff):
			return err
		default:
			c.Say(s + ": " + err.Error())
			first = cmp.Or(first, err)
		}
	}
	if well {
		return nil
	}
	return first
}

func (c *Checkup) checkServer(ctx context.Context, id *Identity, server string) error {
	u, err := parseServer(server)
	if err != nil {
		return err
	}
	config, err := id.webTrust(u.Hostname())
	if c.Server != "" && c.CAFingerprint != "" {
		config, err = trust(u.Hostname(), c.CAFingerprint)
	}
	if err != nil {
		return err
	}
	now, err := c.date(ctx, u, config)
	if err := diagnose(err); err != nil {
		return c.clockInstead(ctx, u, err)
	}
	return checkClock(now)
}

// clockInstead looks whether a certificate is out of its time by a wrong clock only. What somebody says who
// could not show who he is decides nothing but which of two hints is given.
func (c *Checkup) clockInstead(ctx context.Context, u *url.URL, err error) error {
	if !errors.Is(err, Expired) {
		return err
	}
	now, dateErr := c.date(ctx, u, &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}) //nolint:gosec // nothing is said or believed there but the time
	var invalid x509.CertificateInvalidError
	if dateErr != nil || !errors.As(err, &invalid) || now.Before(invalid.Cert.NotBefore) || now.After(invalid.Cert.NotAfter) {
		return err
	}
	return cmp.Or(checkClock(now), err)
}

// date is the time that a server has.
func (c *Checkup) date(ctx context.Context, u *url.URL, config *tls.Config) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("/healthz").String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := proxy(c.Proxy).client(config, c.Timeout).Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Now(), nil // it does not say
	}
	return now, nil
}

func checkClock(server time.Time) error {
	off := time.Since(server).Round(time.Second)
	if off.Abs() <= maxClockOff {
		return nil
	}
	return fmt.Errorf("%w (by %v)", ClockOff, off)
}

// checkBus connects as the agent does, and says nothing there: the server must not take this for the agent.
func (c *Checkup) checkBus(ctx context.Context, id *Identity) error {
	d, err := newDialer(id, proxy(c.Proxy), c.Transport)
	if err != nil {
		return err
	}
	d.timeout = c.Timeout
	o, err := id.options(d)
	if err != nil {
		return err
	}
	o.Timeout, o.AllowReconnect = c.Timeout, false
	nc, err := o.Connect()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return diagnose(fmt.Errorf("message bus: %w", err))
	}
	c.Say("the message bus at " + nc.ConnectedUrlRedacted() + " lets this machine in, by " + string(d.arrived()))
	nc.Close()
	return nil
}

// checkAgent looks at what the agent says of itself.
func (c *Checkup) checkAgent() error {
	s, err := ReadStatus(c.Dir)
	if err != nil {
		return err
	}
	switch {
	case s.Standing == Duplicate:
		return DuplicateHere
	case s.Running:
		c.Say("the agent runs and is " + string(s.Standing))
	default:
		c.Say("no agent runs here: start it with orderly-agent run, or install it")
	}
	return nil
}

// diagnose finds the trouble that an error shows. It stays part of the error.
func diagnose(err error) error {
	if err == nil {
		return nil
	}
	if t := troubleOf(err); t != NoTrouble {
		return fmt.Errorf("%w: %w", t, err)
	}
	return err
}

func troubleOf(err error) Trouble {
	var (
		name    *net.DNSError
		unknown x509.UnknownAuthorityError
		other   x509.HostnameError
		invalid x509.CertificateInvalidError
		timeout net.Error
	)
	switch {
	case errors.Is(err, ErrProxyLogin):
		return ProxyLogin
	case errors.Is(err, syscall.ENOSPC):
		return DiskFull
	case errors.Is(err, nats.ErrAuthorization):
		return KeyRevoked
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Expired
	case errors.Is(err, ErrOtherCA), errors.As(err, &unknown), errors.As(err, &other), errors.As(err, &invalid):
		return WrongCA
	case errors.As(err, &name):
		return NameUnknown
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaRefused):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return NoTrouble
}

// wsaRefused is how Windows says that nobody listens.
const wsaRefused = syscall.Errno(10061)
