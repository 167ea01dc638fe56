package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

const accessHelp = `
Whom to call as whom is given by flags, else by variables, else by a profile (see orderly config):

  ORDERLY_ENDPOINT           http://host:port or https://host:port
  ORDERLY_ACCESS_KEY_ID      the access key
  ORDERLY_ACCESS_KEY_SECRET
  ORDERLY_REGION             the server's first region, or cn-hangzhou
  ORDERLY_CA_FILE            PEM file of the authority to trust, instead of the system's
  ORDERLY_CA_FINGERPRINT     its SHA-256 fingerprint, in place of the file
  ORDERLY_PROFILE            the profile, instead of the current one

What is not set is taken from the files of a server on this machine, in ORDERLY_DATA or its default
directory, if they can be read: on the server itself nothing need be set.`

// An access is whom to call as whom, as far as it is known.
type access struct {
	cli.Access
	profile string
	local   string            // data directory of a server here
	from    map[string]string // where each setting that is known is from, by its name
}

// flags adds the flags that any caller of the API has.
func (a *access) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.Endpoint, "endpoint", "", "`URL` of the API")
	f.StringVar(&a.Region, "region", "", "`ID` of the region")
	f.StringVar(&a.CAFile, "ca-file", "", "PEM `file` of the authority to trust")
	f.StringVar(&a.CAFingerprint, "ca-fingerprint", "", "SHA-256 `fingerprint` of the authority to trust, in place of a file")
	f.StringVar(&a.profile, "profile", "", "`name` of the profile to use")
	completeFlag(c, "profile", profileNames)
	for _, name := range []string{"endpoint", "region", "ca-file", "ca-fingerprint", "profile"} {
		if err := f.SetAnnotation(name, connecting, []string{"yes"}); err != nil {
			panic(err) // they are added above
		}
	}
}

// settings are where a keeps what profiles can set.
func (a *access) settings() map[string]*string {
	return map[string]*string{
		"endpoint": &a.Endpoint, "region": &a.Region, "access-key-id": &a.KeyID, secretSetting: &a.Secret, "ca-file": &a.CAFile, "ca-fingerprint": &a.CAFingerprint,
	}
}

// whereabouts is what a server leaves in its data directory for callers on the same machine.
type whereabouts struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	CAFile   string `json:"caFile,omitempty"`
}

const whereaboutsFile = "server.json"

// complete finds what no flag gave.
func (a *access) complete() error {
	if err := a.gather(); err != nil {
		return err
	}
	if a.Endpoint == "" {
		if err := a.completeEndpoint(); err != nil {
			return err
		}
	}
	a.Region = cmp.Or(a.Region, "cn-hangzhou")
	return a.completeKey()
}

// gather takes what flags, variables and the profile say.
func (a *access) gather() error {
	a.from = map[string]string{}
	for name, value := range a.settings() {
		if *value != "" {
			a.from[name] = "--" + name
		}
	}
	a.profile = cmp.Or(a.profile, os.Getenv("ORDERLY_PROFILE"))
	a.take("", func(name string) string { return os.Getenv(variable(name)) })
	file, err := loadProfiles()
	if err != nil {
		return err
	}
	p, err := file.find(a.profile)
	if err != nil {
		return err
	}
	a.take("profile "+cmp.Or(a.profile, file.Current), func(name string) string { return *p.setting(name) })
	a.local = cmp.Or(os.Getenv("ORDERLY_DATA"), dataDir())
	return nil
}

// take fills what is not known yet from a source. The two settings for one authority count as one, and
// so do the two of a key.
func (a *access) take(source string, value func(name string) string) {
	trusts := a.CAFile+a.CAFingerprint != ""
	keyed := a.KeyID+a.Secret != ""
	for name, place := range a.settings() {
		switch {
		case *place != "", trusts && (name == "ca-file" || name == "ca-fingerprint"), keyed && (name == "access-key-id" || name == secretSetting):
			continue
		}
		if *place = value(name); *place != "" {
			a.from[name] = cmp.Or(source, variable(name))
		}
	}
}

func (a *access) completeEndpoint() error {
	var w whereabouts
	path := filepath.Join(a.local, whereaboutsFile)
	if err := readLocal(path, &w); err != nil {
		return cli.Advise(fmt.Errorf("no endpoint: set ORDERLY_ENDPOINT or --endpoint (%w)", err), "to set it for good: orderly config set endpoint URL; to try it out: orderly demo")
	}
	trusts := a.CAFile+a.CAFingerprint != ""
	a.Endpoint, a.from["endpoint"] = w.Endpoint, path
	if !trusts && w.CAFile != "" {
		a.CAFile, a.from["ca-file"] = w.CAFile, path
	}
	if a.Region == "" {
		a.Region, a.from["region"] = w.Region, path
	}
	return nil
}

func (a *access) completeKey() error {
	if a.KeyID != "" && a.Secret != "" {
		return nil
	}
	if a.KeyID != "" || a.Secret != "" {
		return cli.Advise(errors.New("set both ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET"),
			"or keep them in a profile: orderly config set access-key-id ID, orderly config set access-key-secret")
	}
	var key struct{ AccessKeyID, AccessKeySecret string }
	path := filepath.Join(a.local, server.KeyFile)
	if err := readLocal(path, &key); err != nil {
		return cli.Advise(fmt.Errorf("no access key: set ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET (%w)", err),
			"make one on the server with orderly key create, and keep it: orderly config set access-key-id ID, orderly config set access-key-secret")
	}
	a.KeyID, a.Secret = key.AccessKeyID, key.AccessKeySecret
	a.from["access-key-id"], a.from[secretSetting] = path, path
	return nil
}

// readLocal reads a JSON file of a server on this machine.
func readLocal(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s", path)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// session is the use of the command line by c, with this access.
func (a *access) session() (*cli.Session, error) {
	if err := a.complete(); err != nil {
		return nil, err
	}
	return open(a.Access)
}

// open makes a session whose colours are as the user likes them.
func open(a cli.Access) (*cli.Session, error) {
	s, err := cli.Open(a)
	if err != nil {
		return nil, err
	}
	return withColours(s), nil
}

func withColours(s *cli.Session) *cli.Session {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		s.Colour, s.Plain = false, true
	}
	return s
}

// A view is how a command calls the API and prints what it says.
type view struct {
	access
	format cli.Format
	watch  time.Duration
	yes    bool
}

// formatted adds the flag for the format.
func (v *view) formatted(c *cobra.Command) {
	v.format = cli.Table
	c.Flags().VarP(&v.format, "output", "o", "`format`: table, wide, json or yaml")
	completeFlag(c, "output", fixed(cli.Formats...))
}

// watched adds the flag for looking again and again.
func (v *view) watched(c *cobra.Command) {
	f := c.Flags()
	f.DurationVarP(&v.watch, "watch", "w", 0, "look again after this `time`, until Ctrl-C (2s when none is given)")
	f.Lookup("watch").NoOptDefVal = "2s"
}

// confirmed adds the flag for what asks first.
func (v *view) confirmed(c *cobra.Command) {
	c.Flags().BoolVarP(&v.yes, "yes", "y", false, "do it without asking")
}

// does completes a command: with a session opened, do is what it does.
func (v *view) does(c *cobra.Command, do func(c *cobra.Command, s *cli.Session, args []string) error) *cobra.Command {
	v.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := v.session()
		if err != nil {
			return err
		}
		s.Format, s.Watch, s.Yes = cmp.Or(v.format, cli.Table), v.watch, v.yes
		return do(c, s, args)
	}
	return c
}

// shows completes a command that prints what it finds, in any format, once or again and again.
func (v *view) shows(c *cobra.Command, show func(ctx context.Context, s *cli.Session, args []string) error) *cobra.Command {
	v.formatted(c)
	v.watched(c)
	return v.does(c, func(c *cobra.Command, s *cli.Session, args []string) error {
		return s.View(c.Context(), func(ctx context.Context, s *cli.Session) error { return show(ctx, s, args) })
	})
}
