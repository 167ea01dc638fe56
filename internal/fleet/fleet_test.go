package fleet_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestActivationIsChecked(t *testing.T) { // MI-1
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			a    orderly.Activation
			want orderly.Reason
		}{
			"TTL":         {orderly.Activation{Region: region, TTL: 5 * time.Hour}, orderly.ActivationTTLInvalid},
			"count":       {orderly.Activation{Region: region, Count: 1001}, orderly.ActivationCountInvalid},
			"description": {orderly.Activation{Region: region, Description: strings.Repeat("d", 101)}, orderly.ActivationDescTooLong},
			"prefix":      {orderly.Activation{Region: region, NamePrefix: "1a"}, orderly.InstanceNameInvalid},
			"long prefix": {orderly.Activation{Region: region, NamePrefix: strings.Repeat("a", 51)}, orderly.InstanceNameTooLong},
			"range":       {orderly.Activation{Region: region, AddressRange: "10.0.0.0/33"}, orderly.AddressRangeInvalid},
			"tags":        {orderly.Activation{Region: region, Tags: []orderly.Tag{{Key: "acs:x"}}}, orderly.TagKeyMalformed},
			"region":      {orderly.Activation{Region: "nowhere"}, orderly.RegionUnknown},
		} {
			if _, _, err := h.CreateActivation(t.Context(), caller, c.a, engine.Repetition{}); !errors.Is(err, c.want) {
				t.Errorf("%s: CreateActivation = %v, want %v", name, err, c.want)
			}
		}
		id, code := h.activate(orderly.Activation{})
		if a := h.activation(id); a.TTL != 4*time.Hour || a.Count != 10 || !strings.HasPrefix(code, "a-hz0") || len(code) < 30 {
			t.Errorf("activation = %+v with code %q, want the defaults", a, code)
		}
	})
}

func TestCodeIsShownToItsCallerOnly(t *testing.T) { // ID-3, TOK-1
	each(t, func(t *testing.T, h *house) {
		create := func(digest byte) (id, code string, err error) {
			return h.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{Operation: "CreateActivation", Token: "t", Digest: []byte{digest}})
		}
		id, code, err := create(1)
		must(t, err)
		if id2, code2, err := create(1); err != nil || id2 != id || code2 != code {
			t.Errorf("repetition = %s, %s, %v; want %s, %s", id2, code2, err, id, code)
		}
		if _, _, err := create(2); !errors.Is(err, orderly.ClientTokenMismatch) {
			t.Errorf("other parameters = %v, want ClientTokenMismatch", err)
		}
		_, err = h.Register(t.Context(), machine(t, id, code))
		must(t, err)
		dump := h.dump()
		if strings.Contains(dump, code) || strings.Contains(dump, strings.TrimPrefix(code, "a-hz0")) {
			t.Error("the database holds the code in plain")
		}
		if !strings.Contains(dump, id) {
			t.Error("the search does not find the activation's ID either")
		}
	})
}

// dump is everything that the database keeps, as text.
func (h *house) dump() string {
	h.t.Helper()
	if !strings.HasPrefix(h.url, "postgres") {
		var all strings.Builder
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(h.url + suffix)
			must(h.t, err)
			all.Write(data)
		}
		return all.String()
	}
	db, err := sql.Open("pgx", h.url)
	must(h.t, err)
	defer func() { must(h.t, db.Close()) }()
	var text string
	must(h.t, db.QueryRowContext(h.t.Context(), `select database_to_xml(true, true, '')::text`).Scan(&text))
	return text
}

func TestActivationAdmitsWhileItWorks(t *testing.T) { // MI-2, MI-3
	each(t, func(t *testing.T, h *house) {
		refused := func(name string, r fleet.Registration, want orderly.Reason) {
			t.Helper()
			if _, err := h.Register(t.Context(), r); !errors.Is(err, want) {
				t.Errorf("%s: Register = %v, want %v", name, err, want)
			}
		}
		id, code := h.activate(orderly.Activation{Count: 1, AddressRange: "10.1.0.0/16"})
		refused("wrong code", machine(t, id, code+"x"), orderly.ActivationRefused)
		refused("wrong ID", machine(t, "x", code), orderly.ActivationRefused)
		far := machine(t, id, code)
		far.From = netip.MustParseAddr("10.2.0.1")
		refused("another network", far, orderly.ActivationAddressRefused)
		far.From = netip.MustParseAddr("::ffff:10.1.0.9")
		i, err := h.Register(t.Context(), far)
		must(t, err)
		if i.InternetIP != "10.1.0.9" {
			t.Errorf("InternetIP = %q, want 10.1.0.9", i.InternetIP)
		}
		refused("used up", machine(t, id, code), orderly.ActivationUsedUp)
		_, err = h.Deregister(t.Context(), caller, region, i.ID, engine.Repetition{})
		must(t, err)
		refused("a use is not given back", machine(t, id, code), orderly.ActivationUsedUp)
		refused("a key is used once", far, orderly.ActivationUsedUp)
		if a := h.activation(id); a.Registered != 1 || a.Deregistered != 1 {
			t.Errorf("activation = %+v, want 1 and 1", a)
		}
		if _, err := h.DeleteActivation(t.Context(), caller, region, id); !errors.Is(err, orderly.ActivationInUse) {
			t.Errorf("DeleteActivation = %v, want ActivationInUse", err)
		}

		old, code := h.activate(orderly.Activation{TTL: time.Hour})
		h.raw(`update activations set created = created - 3601000 where id = $1`, old)
		refused("expired", machine(t, old, code), orderly.ActivationExpired)

		id, code = h.activate(orderly.Activation{Tags: []orderly.Tag{{Key: "k"}}})
		before := machine(t, id, code)
		_, err = h.Register(t.Context(), before)
		must(t, err)
		for range 2 {
			a, err := h.DisableActivation(t.Context(), caller, region, id)
			if err != nil || !a.Disabled || a.Registered != 1 || len(a.Tags) != 1 {
				t.Errorf("DisableActivation = %+v, %v; want the whole activation, disabled", a, err)
			}
		}
		refused("disabled", machine(t, id, code), orderly.ActivationDisabled)
		_, err = h.Register(t.Context(), before) // the answer had been lost
		must(t, err)
		for name, f := range map[string]func(context.Context, orderly.Caller, string, string) (orderly.Activation, error){"Disable": h.DisableActivation, "Delete": h.DeleteActivation} {
			for _, c := range []struct {
				by         orderly.Caller
				region, id string
				want       orderly.Reason
			}{{stranger, region, id, orderly.ActivationUnknown}, {caller, region, "x", orderly.ActivationUnknown}, {caller, "x", id, orderly.RegionUnknown}} {
				if _, err := f(t.Context(), c.by, c.region, c.id); !errors.Is(err, c.want) {
					t.Errorf("%sActivation(%s, %s) = %v, want %v", name, c.region, c.id, err, c.want)
				}
			}
		}
		a, err := h.DeleteActivation(t.Context(), caller, region, old)
		if err != nil || a.ID != old {
			t.Errorf("DeleteActivation = %+v, %v; want what was deleted", a, err)
		}
	})
}

func TestCodesAreLimitedByQuota(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var last string
		for range 10 {
			last, _ = h.activate(orderly.Activation{})
		}
		if _, _, err := h.CreateActivation(t.Context(), caller, orderly.Activation{Region: region}, engine.Repetition{}); !errors.Is(err, orderly.ActivationQuota) {
			t.Errorf("the eleventh = %v, want ActivationQuota", err)
		}
		_, err := h.DisableActivation(t.Context(), caller, region, last)
		must(t, err)
		h.activate(orderly.Activation{})
	})
}

func TestRegistrationIsIdempotent(t *testing.T) { // MI-5
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{Count: 2, NamePrefix: "web", ResourceGroup: "rg-1"})
		r := machine(t, id, code)
		r.Instance.Tags = []orderly.Tag{{Key: "rack", Value: "7"}}
		first, err := h.Register(t.Context(), r)
		must(t, err)
		again, err := h.Register(t.Context(), r)
		if err != nil || again.ID != first.ID || h.activation(id).Registered != 1 {
			t.Errorf("again = %s, %v after %d uses; want %s after 1", again.ID, err, h.activation(id).Registered, first.ID)
		}
		list, total, err := h.Instances(t.Context(), caller, store.InstanceFilter{Region: region}, store.Page{Limit: 10})
		must(t, err)
		if total != 1 {
			t.Fatalf("%d instances, want 1", total)
		}
		if i := list[0]; i.Name != "web-1" || i.ResourceGroup != "rg-1" || i.MachineID == "" || len(i.MachineID) > 36 || i.Account != caller.Account ||
			cmp.Diff(r.Instance.Tags, i.Tags) != "" || !h.Connected(i) {
			t.Errorf("instance = %+v, want what it said of itself and the code's group", i)
		}
		other, code := h.activate(orderly.Activation{})
		r.ActivationID, r.ActivationCode = other, code
		if _, err := h.Register(t.Context(), r); !errors.Is(err, orderly.RegistrationMalformed) {
			t.Errorf("its key with another code = %v, want RegistrationMalformed", err)
		}
	})
}

func TestNamesFollowTheCode(t *testing.T) { // MI-4
	each(t, func(t *testing.T, h *house) {
		prefixed, code := h.activate(orderly.Activation{Count: 100, NamePrefix: "web"})
		plain, plainCode := h.activate(orderly.Activation{})
		for _, c := range []struct{ id, code, given, want string }{
			{prefixed, code, "", "web-001"}, {prefixed, code, "mine", "mine"}, {prefixed, code, "", "web-003"}, {plain, plainCode, "", "host"}, {plain, plainCode, "own", "own"},
		} {
			r := machine(t, c.id, c.code)
			r.Instance.Name = c.given
			i, err := h.Register(t.Context(), r)
			if err != nil || i.Name != c.want {
				t.Errorf("Register asking for %q = %q, %v; want %q", c.given, i.Name, err, c.want)
			}
		}
	})
}

func TestConcurrentRegistrationsUseACodeUp(t *testing.T) { // MI-2
	each(t, func(t *testing.T, h *house) {
		const uses = 5
		id, code := h.activate(orderly.Activation{Count: uses, NamePrefix: "web"})
		var wg sync.WaitGroup
		var mu sync.Mutex
		found := map[string]bool{}
		for range 4 * uses {
			r := machine(t, id, code)
			wg.Go(func() {
				i, err := h.Register(t.Context(), r)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					found[i.Name] = true
				} else if !errors.Is(err, orderly.ActivationUsedUp) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, total, err := h.Instances(t.Context(), caller, store.InstanceFilter{Region: region}, store.Page{Limit: 1})
		must(t, err)
		if a := h.activation(id); len(found) != uses || total != uses || a.Registered != uses {
			t.Errorf("%d names, %d instances, %d uses; want %d of each", len(found), total, a.Registered, uses)
		}
	})
}

func TestMalformedRegistrationIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, code := h.activate(orderly.Activation{})
		for name, edit := range map[string]func(*orderly.Instance){
			"no key":          func(i *orderly.Instance) { i.PublicKey = "" },
			"an account key":  func(i *orderly.Instance) { i.PublicKey = "A" + i.PublicKey[1:] },
			"os":              func(i *orderly.Instance) { i.OS = "plan9" },
			"long machine":    func(i *orderly.Instance) { i.MachineID = strings.Repeat("m", 37) },
			"control":         func(i *orderly.Instance) { i.Hostname = "a\x00b" },
			"no text":         func(i *orderly.Instance) { i.OSVersion = "\xff" },
			"address":         func(i *orderly.Instance) { i.IntranetIP = "300.0.0.1" },
			"address's zone":  func(i *orderly.Instance) { i.IntranetIP = "fe80::1%\x00" },
			"name":            func(i *orderly.Instance) { i.Name = "1" },
			"a reserved tag":  func(i *orderly.Instance) { i.Tags = []orderly.Tag{{Key: orderly.AllTag}} },
			"a tag like ours": func(i *orderly.Instance) { i.Tags = []orderly.Tag{{Key: "acs:x"}} },
		} {
			r := machine(t, id, code)
			edit(&r.Instance)
			_, err := h.Register(t.Context(), r)
			var reason orderly.Reason
			if !errors.As(err, &reason) {
				t.Errorf("%s: Register = %v, want a Reason", name, err)
			}
		}
		if a := h.activation(id); a.Registered != 0 {
			t.Errorf("%d uses, want 0", a.Registered)
		}
	})
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
