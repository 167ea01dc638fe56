package agent

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/orderly-run/orderly/internal/wire"
)

// What is wrong with an agent's directory.
var (
	ErrUnregistered = errors.New("this machine is not registered here")
	ErrCopied       = errors.New("this machine is a copy of another: register again")
	ErrRegistered   = errors.New("this machine is registered already: --force makes a new registration")
)

// An Identity is who a registered machine is.
type Identity struct {
	Server   string   `json:"server"`            // where it registered
	Servers  []string `json:"servers,omitempty"` // all addresses of the API; Server alone if none
	Instance string   `json:"instance"`
	Region   string   `json:"region"`
	Name     string   `json:"name"`
	Seed     string   `json:"seed"` // of the NKey, which never leaves the machine
	NATS     string   `json:"nats"`
	Buses    []string `json:"buses,omitempty"`  // all addresses of the bus; NATS alone if none
	CA       string   `json:"ca,omitempty"`     // PEM; "" for the system's
	Pinned   string   `json:"pinned,omitempty"` // fingerprint of the API's CA, if it was registered with one
	Proxy    string   `json:"proxy,omitempty"`  // as a [RegisterConfig] has it
	Machine  machine  `json:"machine"`
}

// Addresses are the URLs of the servers' API.
func (i Identity) Addresses() []string { return i.servers() }

// servers are the URLs of the API.
func (i *Identity) servers() []string {
	if len(i.Servers) == 0 {
		return []string{i.Server}
	}
	return i.Servers
}

// buses are the URLs of the bus.
func (i *Identity) buses() []string {
	if len(i.Buses) == 0 {
		return []string{i.NATS}
	}
	return i.Buses
}

// moved is i with the addresses that a server tells, as far as it does, if they make sense.
func (i *Identity) moved(to wire.Addresses) (Identity, error) {
	n := *i
	if len(to.Servers) > 0 {
		n.Servers = to.Servers
	}
	if len(to.Buses) > 0 {
		n.NATS, n.Buses = to.Buses[0], to.Buses
	}
	for _, s := range n.servers() {
		if _, err := parseServer(s); err != nil {
			return n, err
		}
	}
	_, _, err := n.transport()
	return n, err
}

// webTrust is the TLS configuration for the API at a host: as at registration. Without a fingerprint the CA that
// signs for the bus may have signed there too, or one that this machine trusts.
func (i *Identity) webTrust(host string) (*tls.Config, error) {
	c, err := trust(host, i.Pinned)
	if err != nil || i.Pinned != "" || i.CA == "" {
		return c, err
	}
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool()
	}
	if !c.RootCAs.AppendCertsFromPEM([]byte(i.CA)) {
		return nil, errBadCA
	}
	return c, nil
}

var errBadCA = errors.New("the CA in the identity is no certificate")

// transport is the TLS configuration of the identity's buses, and whether there must be TLS.
func (i *Identity) transport() (c *tls.Config, secure bool, err error) {
	for _, bus := range i.buses() {
		u, err := url.Parse(bus)
		if err != nil {
			return nil, false, err
		}
		if u.Scheme != "nats" && u.Scheme != "tls" {
			return nil, false, fmt.Errorf("%q is no address of a bus", u.Redacted())
		}
		if err := checkPlain(u, "nats"); err != nil {
			return nil, false, err
		}
		secure = secure || u.Scheme != "nats"
	}
	c = &tls.Config{MinVersion: tls.VersionTLS12}
	if i.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(i.CA)) {
			return nil, false, errBadCA
		}
	}
	return c, secure, nil
}

// parseServer reads the URL of a server's API.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read server's URL: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q does not begin with https://", text)
	}
	return u, checkPlain(u, "http")
}

const (
	identityFile = "identity.json"
	pendingFile  = "registering.json" // an Identity that only has a seed yet
)

// LoadIdentity reads who the machine is whose agent has the directory dir.
func LoadIdentity(dir string) (Identity, error) {
	i, err := loadIdentity(filepath.Join(dir, identityFile))
	if errors.Is(err, os.ErrNotExist) {
		return i, fmt.Errorf("%w: there is nothing in %s", ErrUnregistered, dir)
	}
	return i, err
}

func loadIdentity(path string) (i Identity, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return i, err
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("read %s: %w", path, err)
	}
	return i, nil
}

// save writes i, for its owner's eyes only.
func (i *Identity) save(path string) error {
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'))
}

// replaceFile writes a file for its owner's eyes only, so that there is either the old one or the new one.
func replaceFile(path string, data []byte) error {
	tmp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = tmp.Chmod(0o600) // before there is anything in it: somebody may have left it there
	if err == nil {
		_, err = tmp.Write(data)
	}
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// checkPlain refuses a URL without TLS, whose scheme is plain, to any other machine.
func checkPlain(u *url.URL, plain string) error {
	if u.Hostname() == "" {
		return fmt.Errorf("%q names no host", u.Redacted())
	}
	if u.Scheme != plain || isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not encrypted, and %s is not this machine", u.Redacted(), u.Hostname())
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// intranetIP is the address that this machine has towards a host, "" if it cannot be told.
func intranetIP(host string) string {
	conn, err := net.Dial("udp", net.JoinHostPort(host, "9")) //nolint:noctx // sends nothing and waits for nothing but a name
	if err != nil {
		return ""
	}
	defer conn.Close()
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		return a.IP.String()
	}
	return ""
}
