package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/orderly-run/orderly/internal/cli"
)

func configCommand() *cobra.Command {
	return noun(&cobra.Command{
		Use:   "config",
		Short: "Keep servers and access keys in profiles",
		Long: `A profile holds a server's address and how to call it. The profiles are in ~/.config/orderly/config.toml, which
only you may read; a file with a secret that others can read is refused. A flag goes before a variable, and a
variable before the profile.

  endpoint            http://host:port or https://host:port
  region              the region
  access-key-id       the access key
  access-key-secret   its secret: asked for or read from standard input, and never shown
  ca-fingerprint      for a server with an authority of its own: its SHA-256 fingerprint, which the server prints
  ca-file             the same by a PEM file`,
		Example: `  orderly config set --profile prod endpoint https://orderly.example.com:8443
  orderly config set --profile prod ca-fingerprint sha256:3fd1...
  orderly config set --profile prod access-key-id OK...
  orderly config set --profile prod access-key-secret
  orderly config use prod`,
	}, configSetCommand(), configGetCommand(), configUseCommand(), configListCommand(), configShowCommand())
}

// profileFlag adds the flag that names a profile.
func profileFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "profile", "", "`name` of the profile (default: the current one)")
	completeFlag(c, "profile", profileNames)
}

// settingArgs are for commands with a setting's name and between least and most arguments in all.
func settingArgs(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("want %s; see %s --help", c.Use, c.CommandPath())
		}
		if !slices.Contains(profileSettings, args[0]) {
			return cli.Advise(fmt.Errorf("there is no setting %q", args[0]), "the settings of a profile are "+strings.Join(profileSettings, ", "))
		}
		return nil
	}
}

func configSetCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "set SETTING [VALUE]",
		Short: "Change a setting of a profile; the first one set makes the profile",
		Long: `Set changes a setting; an empty VALUE takes it away. The profile is made when there is none with its name; the first one is
called default unless --profile says otherwise, and is the current one. The secret is not taken as VALUE, where other
users of the machine and the shell's history would see it: it is asked for, or read from standard input.`,
		Args: settingArgs(1, 2), ValidArgsFunction: fixed(profileSettings...),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := loadProfiles()
			if err != nil {
				return err
			}
			value, err := settingValue(c, args)
			if err != nil {
				return err
			}
			return p.set(cmp.Or(name, os.Getenv("ORDERLY_PROFILE"), p.Current, "default"), args[0], value)
		},
	}
	profileFlag(c, &name)
	return c
}

func (p *profiles) set(name, setting, value string) error {
	q := p.Profiles[name]
	if q == nil {
		q = &profile{}
		p.Profiles[name] = q
	}
	p.Current = cmp.Or(p.Current, name)
	*q.setting(setting) = value
	return p.save()
}

// settingValue is the value to set, which for a secret is not on the command line.
func settingValue(c *cobra.Command, args []string) (string, error) {
	switch secret := args[0] == secretSetting; {
	case secret && len(args) == 2:
		return "", cli.Advise(errors.New("the secret is not taken from the command line, where others can see it"),
			"give it on standard input, or on a terminal when asked: orderly config set access-key-secret")
	case secret:
		return readSecret(c.InOrStdin(), c.ErrOrStderr())
	case len(args) < 2:
		return "", fmt.Errorf("say which value; see %s --help", c.CommandPath())
	}
	return args[1], nil
}

// readSecret reads a line, without showing it on a terminal.
func readSecret(in io.Reader, out io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		_, _ = io.WriteString(out, "Access key secret: ")
		text, err := term.ReadPassword(int(f.Fd()))
		_, _ = io.WriteString(out, "\n")
		return strings.TrimSpace(string(text)), err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if line = strings.TrimSpace(line); err == nil && line == "" {
		err = errors.New("there is no secret on standard input")
	}
	return line, err
}

func configGetCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "get SETTING", Short: "Print a setting of a profile", Args: settingArgs(1, 1), ValidArgsFunction: fixed(profileSettings...),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := loadProfiles()
			if err != nil {
				return err
			}
			q, err := p.find(cmp.Or(name, os.Getenv("ORDERLY_PROFILE")))
			if err != nil {
				return err
			}
			if args[0] == secretSetting {
				return cli.Advise(errors.New("the secret is never shown"), "it is in "+p.path)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), *q.setting(args[0]))
			return err
		},
	}
	profileFlag(c, &name)
	return c
}

func configUseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "use PROFILE", Short: "Make a profile the current one", Args: one("the PROFILE"), ValidArgsFunction: profileNames,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := loadProfiles()
			if err != nil {
				return err
			}
			if _, err := p.find(args[0]); err != nil {
				return err
			}
			p.Current = args[0]
			return p.save()
		},
	}
}

// A shownProfile is a profile as it is printed, without its secret.
type shownProfile struct {
	Profile       string
	Current       bool
	Endpoint      string
	RegionId      string
	AccessKeyId   string
	CaFile        string
	CaFingerprint string
}

var profileColumns = []cli.Column[shownProfile]{
	{Title: "CURRENT", Cell: func(p *shownProfile) string { return map[bool]string{true: "*"}[p.Current] }},
	{Title: "PROFILE", Cell: func(p *shownProfile) string { return p.Profile }},
	{Title: "ENDPOINT", Cell: func(p *shownProfile) string { return p.Endpoint }},
	{Title: "REGION", Cell: func(p *shownProfile) string { return p.RegionId }},
	{Title: "ACCESS KEY", Cell: func(p *shownProfile) string { return p.AccessKeyId }},
	{Title: "CA", In: cli.InWide, Cell: func(p *shownProfile) string { return cmp.Or(p.CaFile, p.CaFingerprint) }},
}

func configListCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "list", Short: "List profiles, without their secrets", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := loadProfiles()
			if err != nil {
				return err
			}
			list := []shownProfile{}
			for _, name := range p.names() {
				q := p.Profiles[name]
				list = append(list, shownProfile{name, name == p.Current, q.Endpoint, q.Region, q.KeyID, q.CAFile, q.CAFingerprint})
			}
			s := withColours(cli.Local())
			s.Format = v.format
			if len(list) == 0 && (v.format == cli.Table || v.format == cli.Wide) {
				_, err := fmt.Fprintln(os.Stderr, "no profiles: orderly config set endpoint URL makes one")
				return err
			}
			return cli.List(s, profileColumns, list, list)
		},
	}
	v.formatted(c)
	return c
}

// A usedSetting is what a call would use, and where that is from.
type usedSetting struct{ Setting, Value, From string }

var usedColumns = []cli.Column[usedSetting]{
	{Title: "SETTING", Cell: func(u *usedSetting) string { return u.Setting }},
	{Title: "VALUE", Cell: func(u *usedSetting) string { return u.Value }},
	{Title: "FROM", Cell: func(u *usedSetting) string { return u.From }},
}

func configShowCommand() *cobra.Command {
	var v view
	c := &cobra.Command{
		Use: "show", Short: "Show what a call would use, and where each setting is from", Args: cobra.NoArgs,
		Long: `Show prints what any other command would call with the same flags and variables: each setting and where
it is from. The secret is not shown, only whether there is one.`,
		RunE: func(*cobra.Command, []string) error {
			if err := v.gather(); err != nil {
				return err
			}
			if v.Endpoint == "" {
				_ = v.completeEndpoint() // shown as not set
			}
			_ = v.completeKey()
			list := []usedSetting{}
			for _, name := range profileSettings {
				u := usedSetting{Setting: name, Value: *v.settings()[name], From: v.from[name]}
				switch {
				case u.Value == "":
					u.Value = "(not set)"
				case name == secretSetting:
					u.Value = "(set)"
				}
				list = append(list, u)
			}
			s := withColours(cli.Local())
			s.Format = v.format
			return cli.List(s, usedColumns, list, list)
		},
	}
	v.formatted(c)
	v.flags(c)
	return c
}
