package fleet_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	_ "modernc.org/sqlite"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

const region = "cn-hangzhou"

var (
	caller   = orderly.Caller{Account: "1000000000000001", KeyID: "k"}
	stranger = orderly.Caller{Account: "2"}
	here     = netip.MustParseAddr("10.1.2.3")
)

// A house is a fleet on a database.
type house struct {
	*fleet.Fleet
	t      *testing.T
	url    string
	db     *store.DB
	engine *engine.Engine
	gone   []string
}

// Send is a Link that nobody listens to.
func (h *house) Send([]engine.Message) {}

func each(t *testing.T, story func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, build(t, filepath.Join(t.TempDir(), "orderly.db"))) })
	t.Run("postgres", func(t *testing.T) { story(t, build(t, pgtest.DSN(t))) })
}

func build(t *testing.T, url string) *house {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	h := &house{t: t, url: url, db: db}
	h.engine = engine.New(db, h, engine.Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	h.Fleet = fleet.New(db, h.engine, fleet.Config{Gone: func(id string) { h.gone = append(h.gone, id) }})
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// raw runs a statement on the database beside the store.
func (h *house) raw(statement string, args ...any) {
	h.t.Helper()
	driver, name := "sqlite", "file:"+h.url+"?_pragma=busy_timeout(10000)"
	if strings.HasPrefix(h.url, "postgres") {
		driver, name = "pgx", h.url
	}
	db, err := sql.Open(driver, name)
	must(h.t, err)
	defer func() { must(h.t, db.Close()) }()
	_, err = db.ExecContext(context.Background(), statement, args...)
	must(h.t, err)
}

// activate makes an activation.
func (h *house) activate(a orderly.Activation) (id, code string) {
	h.t.Helper()
	a.Region = region
	id, code, err := h.CreateActivation(h.t.Context(), caller, a, engine.Repetition{Operation: "CreateActivation"})
	must(h.t, err)
	return id, code
}

// machine is the registration of a new machine.
func machine(t *testing.T, id, code string) fleet.Registration {
	t.Helper()
	return fleet.Registration{ActivationID: id, ActivationCode: code, From: here, Instance: orderly.Instance{
		PublicKey: key(t), Hostname: "host", OS: orderly.Linux, OSVersion: "13", AgentVersion: "1.0", IntranetIP: "192.168.0.2"}}
}

func key(t *testing.T) string {
	t.Helper()
	pair, err := nkeys.CreateUser()
	must(t, err)
	public, err := pair.PublicKey()
	must(t, err)
	return public
}

// activation is how one is listed.
func (h *house) activation(id string) orderly.Activation {
	h.t.Helper()
	list, _, err := h.Activations(h.t.Context(), caller, store.ActivationFilter{Region: region, ID: id}, store.Page{Limit: 1})
	must(h.t, err)
	if len(list) != 1 {
		h.t.Fatalf("activation %s is not listed", id)
	}
	return list[0]
}

func TestDeregisteredInstanceIsGone(t *testing.T) { // MI-7, TOK-1
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		r := machine(t, id, code)
		r.Instance.Tags = []orderly.Tag{{Key: "k", Value: "v"}}
		i, err := h.Register(t.Context(), r)
		must(t, err)
		run, err := h.engine.RunCommand(t.Context(), caller, engine.Request{Region: region, Target: orderly.Target{Instances: []string{i.ID}},
			Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("x")}}, engine.Repetition{})
		must(t, err)
		again := engine.Repetition{Operation: "DeregisterManagedInstance", Token: "t"}
		for range 2 {
			got, err := h.Deregister(t.Context(), caller, region, i.ID, again)
			if err != nil || got.ID != i.ID || got.Name != i.Name || len(got.Tags) != 1 {
				t.Errorf("Deregister = %+v, %v; want the instance", got, err)
			}
		}
		if len(h.gone) != 1 || h.gone[0] != i.ID {
			t.Errorf("told of %v, want %s once", h.gone, i.ID)
		}
		list, _, err := h.engine.Results(t.Context(), caller, store.ResultFilter{Region: region, InvokeID: run.InvokeID}, store.Page{Limit: 1})
		if err != nil || len(list) != 1 || list[0].State != orderly.Aborted || list[0].ErrorCode != orderly.InstanceDeregistered {
			t.Errorf("its task = %+v, %v; want it Aborted, InstanceDeregistered", list, err)
		}
		for name, err := range map[string]error{
			"Deregister": second(h.Deregister(t.Context(), caller, region, i.ID, engine.Repetition{})),
			"Rename":     h.Rename(t.Context(), caller, region, i.ID, "other"),
		} {
			if !errors.Is(err, orderly.InstanceUnknown) {
				t.Errorf("%s afterwards = %v, want InstanceUnknown", name, err)
			}
		}
		if _, err := h.Register(t.Context(), r); !errors.Is(err, orderly.RegistrationMalformed) {
			t.Errorf("Register with its key = %v, want RegistrationMalformed", err)
		}
		if a := h.activation(id); a.Registered != 1 || a.Deregistered != 1 {
			t.Errorf("activation = %+v, want 1 and 1", a)
		}
	})
}

// However many tasks an instance has, all end with it, and no transaction ends more than some.
func TestAllTasksEndWithTheirInstance(t *testing.T) { // MI-7
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		i, err := h.Register(t.Context(), machine(t, id, code))
		must(t, err)
		const n = 600 // more than the engine puts in one transaction
		for range n {
			_, err := h.engine.RunCommand(t.Context(), caller, engine.Request{Region: region, Target: orderly.Target{Instances: []string{i.ID}},
				Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("x")}}, engine.Repetition{})
			must(t, err)
		}
		must(t, second(h.Deregister(t.Context(), caller, region, i.ID, engine.Repetition{})))
		ended := 0
		for ended < n {
			list, _, err := h.engine.Results(t.Context(), caller, store.ResultFilter{Region: region, Instance: i.ID}, store.Page{Limit: 50, Offset: ended})
			must(t, err)
			for _, r := range list {
				if r.State != orderly.Aborted || r.ErrorCode != orderly.InstanceDeregistered {
					t.Fatalf("a task is %s/%s, want Aborted/InstanceDeregistered", r.State, r.ErrorCode)
				}
			}
			if ended += len(list); len(list) == 0 {
				t.Fatalf("%d tasks are shown, want %d", ended, n)
			}
		}
	})
}

// Of schedules too, which have no deadline: when the server dies half way another one goes on.
func TestTasksEndWithTheirInstanceWhenAServerDies(t *testing.T) { // MI-7, promise 5
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		i, err := h.Register(t.Context(), machine(t, id, code))
		must(t, err)
		const n = 600 // more than the engine puts in one transaction
		for range n {
			_, err := h.engine.RunCommand(t.Context(), caller, engine.Request{Region: region, Target: orderly.Target{Instances: []string{i.ID}}, Repeat: orderly.EveryReboot,
				Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("x")}}, engine.Repetition{})
			must(t, err)
		}
		ctx, die := context.WithCancel(t.Context())
		dying := fleet.New(h.db, h.engine, fleet.Config{Gone: func(string) { die() }})
		if _, err := dying.Deregister(ctx, caller, region, i.ID, engine.Repetition{}); err == nil {
			t.Fatal("the server has not died half way")
		}
		live := func() (count int) {
			must(t, h.db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
				tasks, err := tx.LiveTasksOf(i.ID, n)
				count = len(tasks)
				return err
			}))
			return count
		}
		if left := live(); left == 0 {
			t.Fatal("the server has not died half way")
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- h.engine.Run(ctx) }()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(10 * time.Second); live() > 0; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("%d tasks are live still", live())
			}
		}
		end()
		must(t, <-ended)
	})
}

func second[T any](_ T, err error) error { return err }

func TestRenamingIsChecked(t *testing.T) { // MI-8
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		i, err := h.Register(t.Context(), machine(t, id, code))
		must(t, err)
		for _, c := range []struct {
			by               orderly.Caller
			region, id, name string
			want             error
		}{
			{caller, region, i.ID, "n", orderly.InstanceNameTooLong}, {caller, region, i.ID, "1a", orderly.InstanceNameInvalid},
			{caller, region, i.ID, strings.Repeat("n", 129), orderly.InstanceNameTooLong}, {stranger, region, i.ID, "new", orderly.InstanceUnknown},
			{caller, "x", i.ID, "new", orderly.RegionUnknown}, {caller, region, "mi-x", "new", orderly.InstanceUnknown}, {caller, region, i.ID, "new", nil},
		} {
			if err := h.Rename(t.Context(), c.by, c.region, c.id, c.name); !errors.Is(err, c.want) {
				t.Errorf("Rename(%s, %.9s) = %v, want %v", c.id, c.name, err, c.want)
			}
		}
		list, _, err := h.Instances(t.Context(), caller, store.InstanceFilter{Name: "new"}, store.Page{Limit: 1})
		if err != nil || len(list) != 1 {
			t.Errorf("%d instances are named new, %v; want 1", len(list), err)
		}
		if len(list) == 1 && list[0].ID != i.ID {
			t.Errorf("named new: %s, want %s", list[0].ID, i.ID)
		}
		if mine, total, err := h.Instances(t.Context(), stranger, store.InstanceFilter{}, store.Page{Limit: 1}); err != nil || len(mine)+total != 0 {
			t.Errorf("a stranger sees %d instances, %v", total, err)
		}
	})
}
