//go:build unix

package pgtest

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// keeper is the shell script that owns a cluster: it makes it, starts it, says "ready", and
// when its standard input ends, which happens when the test process does, stops and deletes it.
//
//go:embed keeper.sh
var keeper string

// startCluster starts a cluster of the newest PostgreSQL installed here.
func startCluster(fsync bool) (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	owner, err := clusterOwner()
	if err != nil {
		return nil, err
	}
	const attempts = 3 // somebody may take the port between its choice and its use
	for range attempts {
		var c *cluster
		if c, err = keepCluster(bin, owner, fsync); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("start a throwaway PostgreSQL from %s: %w", bin, err)
}

// binaries returns the folder of the newest installed server.
func binaries() (string, error) {
	folders, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	folders = slices.DeleteFunc(folders, func(f string) bool {
		_, err := os.Stat(filepath.Join(f, "initdb"))
		return err != nil
	})
	if len(folders) > 0 {
		return slices.MaxFunc(folders, func(a, b string) int { return major(a) - major(b) }), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("no PostgreSQL server binaries on this machine")
	}
	return filepath.Dir(initdb), nil
}

// major is the version in a path like /usr/lib/postgresql/15/bin.
func major(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

// clusterOwner is whom the server runs as: nil for ourselves, or an unprivileged user when we
// are root, as whom PostgreSQL refuses to run.
func clusterOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("no user to run PostgreSQL as: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// keepCluster starts the keeper in a folder and a session of its own, so that neither Ctrl-C
// nor kill -9 of the test process reaches it before it has cleaned up.
func keepCluster(bin string, owner *syscall.Credential, fsync bool) (*cluster, error) {
	dir, err := clusterFolder(owner)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, dir, port, onOff(fsync)) //nolint:noctx // it ends with our process, not with a test
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: owner}
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := awaitReady(bufio.NewScanner(out)); err != nil {
		return nil, errors.Join(err, cmd.Wait())
	}
	url := "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"
	return &cluster{url: url, life: life}, nil
}

// awaitReady reads what the keeper says until it says "ready".
func awaitReady(lines *bufio.Scanner) error {
	var said bytes.Buffer
	for lines.Scan() {
		if lines.Text() == "ready" {
			return nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return errors.New(strings.TrimSpace(said.String()))
}

// clusterFolder makes a folder that owner can reach and use: the one for temporary files may
// belong to us alone.
func clusterFolder(owner *syscall.Credential) (string, error) {
	parent := ""
	if owner != nil {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "orderly-pg-")
	if err != nil {
		return "", err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
