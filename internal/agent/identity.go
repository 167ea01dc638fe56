package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
)

// What is wrong with an agent's directory.
var (
	ErrUnregistered = errors.New("this machine is not registered here")
	ErrCopied       = errors.New("this machine is a copy of another: register again")
	ErrRegistered   = errors.New("this machine is registered already: --force makes a new registration")
)

// An Identity is who a registered machine is.
type Identity struct {
	Server   string  `json:"server"` // where it registered
	Instance string  `json:"instance"`
	Region   string  `json:"region"`
	Name     string  `json:"name"`
	Seed     string  `json:"seed"` // of the NKey, which never leaves the machine
	NATS     string  `json:"nats"`
	CA       string  `json:"ca,omitempty"` // PEM; "" for the system's
	Machine  machine `json:"machine"`
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

// save writes i, for its owner's eyes only, so that there is either the old file or the new one.
func (i *Identity) save(path string) error {
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = tmp.Chmod(0o600) // before there is anything in it: somebody may have left it there
	if err == nil {
		_, err = tmp.Write(append(data, '\n'))
	}
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
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
