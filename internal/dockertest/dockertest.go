//go:build linux

// Package dockertest gives tests a real container engine with an image that is made on this machine. It is for tests
// alone: nothing that is built into a program may import it.
//
// The engine is the dockerd that is installed here, started once for each test process, on a socket and with folders of its
// own and without any network; it ends, with all of its containers, when that process ends, however it ends. It takes root to
// start one. The image holds Debian's static busybox and nothing else.
//
// Where there is none, a test is skipped with one line that says so, or fails when ORDERLY_REQUIRE_DOCKER=1 is set, so that
// nobody takes a skip for a pass.
package dockertest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Image is the name of the one image: /bin/sh and what a shell needs, of busybox.
const Image = "orderly-test"

const (
	startTimeout = time.Minute
	callTimeout  = time.Minute
)

//go:embed keeper.sh
var keeper string

// shared is started by its first user.
var shared = sync.OnceValues(start)

// An Engine is a running engine.
type Engine struct {
	Socket string
	client *http.Client
	life   io.Closer // it ends when this is closed, at the latest by the end of our process
}

// Start returns the test process's engine.
func Start(t testing.TB) *Engine {
	t.Helper()
	e, err := shared()
	if err == nil {
		return e
	}
	if os.Getenv("ORDERLY_REQUIRE_DOCKER") == "1" {
		t.Fatalf("a container engine is required here: %v", err)
	}
	t.Skipf("NOT TESTED ON A CONTAINER ENGINE: %v (run hack/prepare, and the test as root)", err)
	return nil
}

func start() (*Engine, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root can start one")
	}
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		if dockerd, err = exec.LookPath("/usr/sbin/dockerd"); err != nil {
			return nil, errors.New("dockerd is not installed")
		}
	}
	image, err := imageArchive()
	if err != nil {
		return nil, err
	}
	e, err := keep(dockerd)
	if err != nil {
		return nil, err
	}
	if err := e.await(); err != nil {
		log, _ := os.ReadFile(filepath.Join(filepath.Dir(e.Socket), "log"))
		return nil, errors.Join(err, errors.New(lastLines(string(log))), e.life.Close())
	}
	_, err = e.call(http.MethodPost, "/images/create?fromSrc=-&repo="+Image, bytes.NewReader(image))
	return e, err
}

// keep starts the keeper in a folder and a session of its own, so that neither Ctrl-C nor kill -9 of the test
// process reaches it before it has cleaned up.
func keep(dockerd string) (*Engine, error) {
	dir, err := os.MkdirTemp("/tmp", "orderly-engine-") // paths of sockets must be short
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", dockerd, dir) //nolint:noctx // it ends with our process, not with a test
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	e := &Engine{Socket: filepath.Join(dir, "socket"), life: life}
	e.client = &http.Client{Timeout: callTimeout, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.Socket)
	}}}
	return e, nil
}

// await waits until the engine answers.
func (e *Engine) await() error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(startTimeout); ; <-tick.C {
		_, err := e.call(http.MethodGet, "/_ping", nil)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// call makes a request and returns the answer's body.
func (e *Engine) call(method, path string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/images/create") {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// Do asks the engine for something by its API: POST, but DELETE for what begins with "DELETE ".
func (e *Engine) Do(t testing.TB, path string) {
	t.Helper()
	method := http.MethodPost
	if rest, ok := strings.CutPrefix(path, "DELETE "); ok {
		method, path = http.MethodDelete, rest
	}
	if _, err := e.call(method, path, nil); err != nil {
		t.Fatal(err)
	}
}

// Create makes a container that sleeps and is not started yet, and returns its ID. It is removed when t ends.
func (e *Engine) Create(t testing.TB, name string, labels map[string]string) string {
	t.Helper()
	question, err := json.Marshal(map[string]any{
		"Image": Image, "Cmd": []string{"/bin/sleep", "1000000"}, "Labels": labels, "WorkingDir": "/srv", "User": "7:7",
		"StopSignal": "SIGKILL", "HostConfig": map[string]any{"NetworkMode": "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.call(http.MethodPost, "/containers/create?name="+name, bytes.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID string `json:"Id"`
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Do(t, "DELETE /containers/"+made.ID+"?force=1&v=1") })
	return made.ID
}

// Run is Create for a container that runs.
func (e *Engine) Run(t testing.TB, name string, labels map[string]string) string {
	t.Helper()
	id := e.Create(t, name, labels)
	e.Do(t, "/containers/"+id+"/start")
	return id
}

// Throttle leaves a container a hundredth of a processor, and has it want more than that.
func (e *Engine) Throttle(t testing.TB, container string) {
	t.Helper()
	var made struct {
		ID string `json:"Id"`
	}
	busy := `{"Cmd": ["/bin/sh", "-c", "while :; do :; done"]}`
	text, err := e.call(http.MethodPost, "/containers/"+container+"/exec", strings.NewReader(busy))
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err == nil {
		_, err = e.call(http.MethodPost, "/exec/"+made.ID+"/start", strings.NewReader(`{"Detach": true}`))
	}
	if err == nil {
		_, err = e.call(http.MethodPost, "/containers/"+container+"/update", strings.NewReader(`{"CpuPeriod": 1000000, "CpuQuota": 10000}`))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lastLines is the end of a log.
func lastLines(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
