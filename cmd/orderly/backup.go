package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

func backupCommand() *cobra.Command {
	var cfg server.Config
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database of a server, which may be running",
		Long: `Backup writes all that the server's SQLite database holds at one moment into a new FILE that only its owner
may read. The file has its name when it is complete and on disk. The file secret in the server's directory
never changes: keep a copy of it too, and elsewhere, as keys in the backup are sealed with it.

A PostgreSQL database is backed up with pg_dump. See docs/backup.md, and orderly restore.`,
		Example: `  orderly backup /backup/orderly-monday.db
  orderly backup /backup/orderly-monday.db --data /var/lib/orderly`,
		Args: one("the FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := fill(c.Flags(), nil, "data", "db", "secret-file"); err != nil {
				return err
			}
			copied, err := server.Backup(c.Context(), cfg, args[0])
			if err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Copied %s to %s (%d bytes)\nKeep a copy of %s too: without it the backup is of no use.\n",
				copied.Database, args[0], copied.Bytes, copied.SecretFile)
			return err
		},
	}
	databaseFlags(c, &cfg)
	return c
}

func restoreCommand() *cobra.Command {
	var cfg server.Config
	var yes bool
	c := &cobra.Command{
		Use:   "restore [FILE]",
		Short: "Go back to a backup, without running anything a second time",
		Long: `Restore makes a FILE that orderly backup wrote the database of a server, which must not be running. A database
that is there already is not replaced: move it away first.

Without a FILE it says that the database was put back otherwise, as by pg_restore or by a snapshot of the
machine: run it then, before a server starts, with all servers stopped.

Machines may have run, since the backup was made, what it shows as waiting or running. So what is not over in
it is never sent again. Machines are asked about it when they connect: what one still has goes on, and its
result counts. What it does not have ends as ExecutionInterrupted, since nobody knows what became of it;
schedules too. It makes no difference for what is run after the restore. See docs/backup.md.`,
		Example: `  orderly restore /backup/orderly-monday.db
  orderly restore --db postgres://orderly@db/orderly --secret-file /etc/orderly/secret`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("want at most one FILE; see orderly restore --help")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := fill(c.Flags(), nil, "data", "db", "secret-file"); err != nil {
				return err
			}
			file := ""
			if len(args) > 0 {
				file = args[0]
			} else if err := confirmRestored(yes); err != nil {
				return err
			}
			r, err := server.Restore(c.Context(), cfg, file)
			if err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "Restored %s: it is generation %d now.\n%s\n", r.Database, r.Generation, asked(r))
			return err
		},
	}
	databaseFlags(c, &cfg)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do it without asking")
	return c
}

// confirmRestored asks whether a database was restored. It is a brake: without a terminal it is taken for granted.
func confirmRestored(yes bool) error {
	s := cli.Local()
	s.Yes = yes || !s.Ask
	return s.Confirm("have what is not over asked about, and never sent again")
}

// asked tells what becomes of live tasks after a restore.
func asked(r server.Restoration) string {
	if r.Tasks == 0 {
		return "All that was run is over in it."
	}
	return fmt.Sprintf("Not over in it: %s on %s. Nothing of that is sent again: machines are asked about it.", several(r.Tasks, "task"), several(r.Machines, "machine"))
}

// several is a number of things.
func several(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// databaseFlags are the flags for which database to work on.
func databaseFlags(c *cobra.Command, cfg *server.Config) {
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDir(), "`directory` of the server")
	f.StringVar(&cfg.DB, "db", "", "`URL` of its database, or path of its file (default: the one in its directory)")
	f.StringVar(&cfg.SecretFile, "secret-file", "", "`file` that seals keys in the database (default: the one in its directory)")
}
