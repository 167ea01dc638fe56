package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

// A keyring is the database that the key commands work on.
type keyring struct {
	cfg  server.Config
	json bool
}

func keyCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use: "key", Aliases: []string{"keys"},
		Short: "Make, disable and list access keys",
		Long: `The key commands work on the server's database, where they need to read the server's files; the server may
be running, and goes by what they change at once.`,
		Example: `  orderly key create
  orderly key list --data /var/lib/orderly
  orderly key disable OK...`,
	}, keyCreateCommand(), keyDisableCommand(), keyListCommand())
}

// command completes a key command: with keys opened, do writes what it does to w.
func (r *keyring) command(c *cobra.Command, do func(ctx context.Context, k *server.Keys, args []string, w io.Writer) error) *cobra.Command {
	f := c.Flags()
	f.StringVar(&r.cfg.Data, "data", dataDir(), "`directory` of the server")
	f.StringVar(&r.cfg.DB, "db", "", "`URL` of its database (default: the one in its directory)")
	f.StringVar(&r.cfg.SecretFile, "secret-file", "", "`file` that seals keys in the database (default: the one in its directory)")
	f.BoolVar(&r.json, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := fill(f, nil, "data", "db", "secret-file"); err != nil {
			return err
		}
		k, err := server.OpenKeys(c.Context(), r.cfg)
		if err != nil {
			return failed(err)
		}
		return failed(errors.Join(do(c.Context(), k, args, c.OutOrStdout()), k.Close()))
	}
	return c
}

func keyCreateCommand() *cobra.Command {
	var r keyring
	c := &cobra.Command{Use: "create", Short: "Make an access key; its secret is shown this once", Args: cobra.NoArgs}
	return r.command(c, func(ctx context.Context, k *server.Keys, _ []string, w io.Writer) error {
		key, err := k.Create(ctx)
		if err != nil {
			return err
		}
		if r.json {
			return json.NewEncoder(w).Encode(struct {
				ID      string `json:"accessKeyId"`
				Secret  string `json:"accessKeySecret"`
				Account string `json:"account"`
			}{key.ID, key.Secret, key.Account})
		}
		_, err = fmt.Fprintf(w, "Access key ID      %s\nAccess key secret  %s\n", key.ID, key.Secret)
		return err
	})
}

func keyDisableCommand() *cobra.Command {
	var r keyring
	c := &cobra.Command{Use: "disable KEY_ID", Short: "Disable an access key for good", Args: one("the KEY_ID")}
	var yes bool
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do it without asking")
	return r.command(c, func(ctx context.Context, k *server.Keys, args []string, w io.Writer) error {
		s := cli.Local()
		s.Yes = yes || !s.Ask // a brake: without a terminal it is done at once
		if err := s.Confirm("disable " + args[0] + " for good"); err != nil {
			return err
		}
		if err := k.Disable(ctx, args[0]); err != nil {
			return err
		}
		if r.json {
			return json.NewEncoder(w).Encode(struct {
				ID       string `json:"accessKeyId"`
				Disabled bool   `json:"disabled"`
			}{args[0], true})
		}
		_, err := fmt.Fprintf(w, "Disabled %s\n", args[0])
		return err
	})
}

// A shownKey is an access key as it is printed, without its secret.
type shownKey struct {
	AccessKeyId  string
	Account      string
	Status       string
	CreationTime string
}

var keyColumns = []cli.Column[shownKey]{
	{Title: "KEY ID", Cell: func(k *shownKey) string { return k.AccessKeyId }},
	{Title: "ACCOUNT", Cell: func(k *shownKey) string { return k.Account }},
	{Title: "STATE", Cell: func(k *shownKey) string { return k.Status }},
	{Title: "CREATED", Cell: func(k *shownKey) string { return k.CreationTime }},
}

func keyListCommand() *cobra.Command {
	var r keyring
	var v view
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List access keys, without their secrets", Args: cobra.NoArgs}
	v.formatted(c)
	return r.command(c, func(ctx context.Context, k *server.Keys, _ []string, w io.Writer) error {
		keys, err := k.List(ctx)
		if err != nil {
			return err
		}
		if r.json {
			return writeKeysJSON(w, keys)
		}
		list := []shownKey{}
		for i := range keys {
			list = append(list, shownKey{keys[i].ID, keys[i].Account, keyState(&keys[i]), keys[i].Created.Format(time.RFC3339)})
		}
		s := withColours(cli.Local())
		s.Format = v.format
		return cli.List(s, keyColumns, list, list)
	})
}

func keyState(k *server.AccessKey) string {
	if k.Disabled {
		return "disabled"
	}
	return "enabled"
}

func writeKeysJSON(w io.Writer, keys []server.AccessKey) error {
	enc := json.NewEncoder(w)
	for i := range keys {
		err := enc.Encode(struct {
			ID       string    `json:"accessKeyId"`
			Account  string    `json:"account"`
			Disabled bool      `json:"disabled"`
			Created  time.Time `json:"created"`
		}{keys[i].ID, keys[i].Account, keys[i].Disabled, keys[i].Created})
		if err != nil {
			return err
		}
	}
	return nil
}
