//go:build unix

package proc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// An Account is what the system knows of a user.
type Account struct {
	Name     string
	UID, GID int
	Groups   []uint32 // all that it is in
	Home     string
	Shell    string
}

// What PATH a login gets, as Debian's login.defs has it.
const (
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	userPath = "/usr/local/bin:/usr/bin:/bin"
)

// FindAccount finds a user by name; "" is the one that this process runs as. Its error is
// ErrNoSuchUser when there is none.
func FindAccount(name string) (Account, error) {
	u, err := find(name)
	switch {
	case err == nil:
	case name == "": // a user without an entry, as containers have them
		return Account{UID: os.Geteuid(), GID: os.Getegid(), Home: os.Getenv("HOME")}, nil
	case isUnknown(err):
		return directoryAccount(name)
	default:
		return Account{}, fmt.Errorf("look up user %q: %w", name, err)
	}
	a, err := newAccount(u)
	if err != nil {
		return a, fmt.Errorf("read ids of user %q: %w", name, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return a, fmt.Errorf("look up groups of user %q: %w", name, err)
	}
	a.Shell = shellOf(a.Name)
	a.Groups, err = parseIDs(groups)
	return a, err
}

func find(name string) (*user.User, error) {
	if name == "" {
		return user.LookupId(strconv.Itoa(os.Geteuid()))
	}
	return user.Lookup(name)
}

func isUnknown(err error) bool {
	_, name := errors.AsType[user.UnknownUserError](err)
	_, id := errors.AsType[user.UnknownUserIdError](err)
	return name || id
}

func newAccount(u *user.User) (Account, error) {
	ids, err := parseIDs([]string{u.Uid, u.Gid})
	if err != nil {
		return Account{}, err
	}
	return Account{Name: u.Username, UID: int(ids[0]), GID: int(ids[1]), Home: u.HomeDir}, nil
}

func parseIDs(texts []string) ([]uint32, error) {
	ids := make([]uint32, 0, len(texts))
	for _, text := range texts {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, err
		}
		ids = append(ids, uint32(id))
	}
	return ids, nil
}

// shellOf is the login shell of a user who is in the system's own file.
func shellOf(name string) string {
	b, _ := os.ReadFile("/etc/passwd")
	for line := range bytes.Lines(b) {
		if fields := strings.Split(strings.TrimSpace(string(line)), ":"); len(fields) == 7 && fields[0] == name {
			return fields[6]
		}
	}
	return ""
}

// directoryAccount finds a user who is not in the system's own files but in a directory (LDAP, SSSD).
// A static program can ask for those only by the system's tools.
func directoryAccount(name string) (Account, error) {
	unknown := fmt.Errorf("%w: %q", ErrNoSuchUser, name)
	out, err := ask("getent", "passwd", "--", name)
	if _, exited := errors.AsType[*exec.ExitError](err); exited || errors.Is(err, exec.ErrNotFound) {
		return Account{}, unknown
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up user %q: %w", name, err)
	}
	fields := strings.Split(strings.TrimSpace(out), ":")
	if len(fields) != 7 || fields[0] != name { // a number finds the user who has it
		return Account{}, unknown
	}
	a, err := newAccount(&user.User{Username: name, Uid: fields[2], Gid: fields[3], HomeDir: fields[5]})
	if err != nil {
		return a, fmt.Errorf("read ids of user %q: %w", name, err)
	}
	if out, err = ask("id", "-G", "--", name); err != nil {
		return a, fmt.Errorf("look up groups of user %q: %w", name, err)
	}
	a.Shell = fields[6]
	a.Groups, err = parseIDs(strings.Fields(out))
	return a, err
}

// askPatience is how long a directory may take to answer.
const askPatience = 10 * time.Second

func ask(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// environ is what a login of the user finds: of this process's own environment only what tells the time
// zone and the language.
func (a Account) environ() []string {
	path := userPath
	if a.UID == 0 {
		path = rootPath
	}
	env := []string{
		"HOME=" + a.Home, "USER=" + a.Name, "LOGNAME=" + a.Name, "SHELL=" + cmp.Or(a.Shell, "/bin/sh"), "PATH=" + path,
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name == "TZ" || name == "LANG" || name == "LANGUAGE" || strings.HasPrefix(name, "LC_") {
			env = append(env, entry)
		}
	}
	return env
}
