package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

const accessHelp = `
Whom to call as whom is in the environment:

  ORDERLY_ENDPOINT           http://host:port or https://host:port
  ORDERLY_ACCESS_KEY_ID      the access key
  ORDERLY_ACCESS_KEY_SECRET
  ORDERLY_REGION             the server's first region, or cn-hangzhou
  ORDERLY_CA_FILE            PEM file of the authority to trust, instead of the system's

What is not set is taken from the files of a server on this machine, in ORDERLY_DATA or its default
directory, if they can be read: on the server itself nothing need be set.`

// An access is whom to call as whom, as far as it is known.
type access struct {
	cli.Access
	local string // data directory of a server here
}

// flags adds the flags that any caller of the API has.
func (a *access) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.Endpoint, "endpoint", "", "`URL` of the API")
	f.StringVar(&a.Region, "region", "", "`ID` of the region")
	f.StringVar(&a.CAFile, "ca-file", "", "PEM `file` of the authority to trust")
}

// whereabouts is what a server leaves in its data directory for callers on the same machine.
type whereabouts struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	CAFile   string `json:"caFile,omitempty"`
}

const whereaboutsFile = "server.json"

// complete finds what no flag gave.
func (a *access) complete(c *cobra.Command) error {
	if err := fill(c.Flags(), nil, "endpoint", "region", "ca-file"); err != nil {
		return err
	}
	a.KeyID, a.Secret = os.Getenv("ORDERLY_ACCESS_KEY_ID"), os.Getenv("ORDERLY_ACCESS_KEY_SECRET")
	if a.local = os.Getenv("ORDERLY_DATA"); a.local == "" {
		a.local = dataDir()
	}
	if a.Endpoint == "" {
		if err := a.completeEndpoint(); err != nil {
			return err
		}
	}
	if a.Region == "" {
		a.Region = "cn-hangzhou"
	}
	return a.completeKey()
}

func (a *access) completeEndpoint() error {
	var w whereabouts
	if err := readLocal(filepath.Join(a.local, whereaboutsFile), &w); err != nil {
		return fmt.Errorf("no endpoint: set ORDERLY_ENDPOINT or --endpoint (%w)", err)
	}
	a.Endpoint = w.Endpoint
	if a.CAFile == "" {
		a.CAFile = w.CAFile
	}
	if a.Region == "" {
		a.Region = w.Region
	}
	return nil
}

func (a *access) completeKey() error {
	if a.KeyID != "" && a.Secret != "" {
		return nil
	}
	if a.KeyID != "" || a.Secret != "" {
		return errors.New("set both ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET")
	}
	var key struct{ AccessKeyID, AccessKeySecret string }
	if err := readLocal(filepath.Join(a.local, server.KeyFile), &key); err != nil {
		return fmt.Errorf("no access key: set ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET (%w)", err)
	}
	a.KeyID, a.Secret = key.AccessKeyID, key.AccessKeySecret
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
func (a *access) session(c *cobra.Command) (*cli.Session, error) {
	if err := a.complete(c); err != nil {
		return nil, err
	}
	return open(a.Access)
}

// open makes a session whose colours are as the user likes them.
func open(a cli.Access) (*cli.Session, error) {
	s, err := cli.Open(a)
	if err == nil && (os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb") {
		s.Colour = false
	}
	return s, err
}
