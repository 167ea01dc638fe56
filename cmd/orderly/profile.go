package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/orderly-run/orderly/internal/cli"
)

// A profile is a server and how to call it.
type profile struct {
	Endpoint      string `toml:"endpoint,omitempty"`
	Region        string `toml:"region,omitempty"`
	KeyID         string `toml:"access-key-id,omitempty"`
	Secret        string `toml:"access-key-secret,omitempty"`
	CAFile        string `toml:"ca-file,omitempty"`
	CAFingerprint string `toml:"ca-fingerprint,omitempty"`
}

// secretSetting is the one setting that is never shown.
const secretSetting = "access-key-secret"

// profileSettings are the settings of a profile, in the order in which they are shown.
var profileSettings = []string{"endpoint", "region", "access-key-id", secretSetting, "ca-file", "ca-fingerprint"}

// setting is where p keeps a setting; nil for one that there is not.
func (p *profile) setting(name string) *string {
	return map[string]*string{
		"endpoint": &p.Endpoint, "region": &p.Region, "access-key-id": &p.KeyID, secretSetting: &p.Secret, "ca-file": &p.CAFile, "ca-fingerprint": &p.CAFingerprint,
	}[name]
}

// profiles are the user's file of them.
type profiles struct {
	path     string
	Current  string              `toml:"current,omitempty"`
	Profiles map[string]*profile `toml:"profiles,omitempty"`
}

// profilesPath is where the file is.
func profilesPath() string {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "."
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "orderly", "config.toml")
}

// loadProfiles reads the file; without one there are no profiles. A file with a secret that others can
// read is refused.
func loadProfiles() (*profiles, error) {
	p := &profiles{path: profilesPath()}
	text, err := os.ReadFile(p.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	read, err := toml.Decode(string(text), p)
	if err != nil {
		return nil, cli.Advise(fmt.Errorf("%s: %w", p.path, err), "correct the line with an editor")
	}
	if unknown := read.Undecoded(); len(unknown) > 0 {
		return nil, cli.Advise(fmt.Errorf("%s: there is no setting %s", p.path, unknown[0]), "the settings of a profile are "+strings.Join(profileSettings, ", "))
	}
	if p.Profiles == nil {
		p.Profiles = map[string]*profile{}
	}
	return p, p.checkSecrecy()
}

func (p *profiles) checkSecrecy() error {
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Perm()&0o077 == 0 || !secretsOnUnix {
		return err
	}
	for _, q := range p.Profiles {
		if q.Secret != "" {
			return cli.Advise(fmt.Errorf("%s holds a secret, and others can read it", p.path), "make it yours alone: chmod 600 "+p.path)
		}
	}
	return nil
}

// save replaces the file, at once and readable for its owner only.
func (p *profiles) save() error {
	var text bytes.Buffer
	enc := toml.NewEncoder(&text)
	enc.Indent = ""
	if err := enc.Encode(p); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	return writeFile(p.path, text.Bytes())
}

// names are those of all profiles, in order.
func (p *profiles) names() []string {
	var names []string
	for name := range p.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// find is the profile with a name, or the current one when name is "". Without any, it is empty.
func (p *profiles) find(name string) (*profile, error) {
	if name == "" {
		name = p.Current
	}
	if name == "" {
		return &profile{}, nil
	}
	if q := p.Profiles[name]; q != nil {
		return q, nil
	}
	next := "make it: orderly config set --profile " + name + " endpoint URL"
	if names := p.names(); len(names) > 0 {
		next = "there are " + strings.Join(names, ", ") + "; " + next
	}
	return nil, cli.Advise(fmt.Errorf("there is no profile %s", name), next)
}
