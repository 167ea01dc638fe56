// Package console is the web console: server-rendered pages over the engine and the fleet, that work
// without JavaScript and are livelier with it. It is a caller like any other: what it changes goes
// through the same checks as the API's requests and leaves the same audit lines.
//
// Everything that a browser is sent stands in files that are embedded here; nothing is inline, so that
// the content security policy allows nothing inline. A page shows commands and invocations of the first
// realm, which is that of the ECS dialect.
package console

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/store"
)

// Root is the path under which the console stands.
const Root = "/console/"

// Config is what a Console needs; the zero value of each field means the default named there.
type Config struct {
	Engine *engine.Engine                       // required, as the next three
	Fleet  *fleet.Fleet                         //
	Store  *store.DB                            //
	NewKey func(account string) store.AccessKey // makes one that is not stored yet

	Fingerprint string        // of the authority that machines must be told to trust; none
	Idle        time.Duration // 1 h; after which a session that is not used ends
	Life        time.Duration // 12 h; after which any session ends
	Tick        time.Duration // 1 s; between looks at what a page shows live
	Log         *slog.Logger  // slog.Default()
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	cfg      Config
	log      *slog.Logger
	mux      *http.ServeMux
	guard    *http.CrossOriginProtection
	pages    pages
	assets   assets
	failures failures
	closed   chan struct{}
	closing  sync.Once
}

// New makes a Console.
func New(cfg Config) *Console {
	c := &Console{cfg: cfg, log: cfg.Log, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection(), closed: make(chan struct{})}
	if c.log == nil {
		c.log = slog.Default()
	}
	c.cfg.Idle = orDefault(cfg.Idle, time.Hour)
	c.cfg.Life = orDefault(cfg.Life, 12*time.Hour)
	c.cfg.Tick = orDefault(cfg.Tick, time.Second)
	c.assets = readAssets()
	c.pages = readPages(c.assets)
	c.routes()
	return c
}

func orDefault(v, d time.Duration) time.Duration {
	if v == 0 {
		return d
	}
	return v
}

// Close ends what is sent live, so that a server can stop.
func (c *Console) Close() { c.closing.Do(func() { close(c.closed) }) }

// routes says who answers what. Everything behind a region needs a session.
func (c *Console) routes() {
	for pattern, h := range map[string]handler{
		"GET " + Root + "{$}":       c.home,
		"GET " + Root + "sign-in":   c.signInPage,
		"POST " + Root + "sign-in":  c.signIn,
		"POST " + Root + "sign-out": c.signOut,
		"POST " + Root + "theme":    c.setTheme,
		"GET " + Root:               c.nothing,
	} {
		c.mux.Handle(pattern, c.open(h))
	}
	c.mux.Handle("GET "+Root+"static/{version}/{file}", http.HandlerFunc(c.assets.serve))
	const in = Root + "in/{region}/"
	for path, h := range c.reads() {
		c.mux.Handle("GET "+in+path, c.closedTo(h))
	}
	for path, h := range map[string]handler{"run/edit": c.editRun, "run/preview": c.previewRun, "run/parameters": c.parametersOfRun, "run/confirm": c.confirmRun} {
		c.mux.Handle("POST "+in+path, c.closedTo(h)) // they change nothing; what they are asked is too long for a URL
	}
	c.mux.Handle("GET "+in, c.closedTo(c.nothing)) // with the menu, for who has signed in
	for path, a := range c.changes() {
		c.mux.Handle("POST "+in+path, c.audited(a))
	}
}

// reads are the pages of a region, by their paths in it.
func (c *Console) reads() map[string]handler {
	return map[string]handler{
		"fleet":             c.fleetPage,
		"fleet/add":         c.addPage,
		"fleet/{id}":        c.machinePage,
		"fleet/{id}/remove": c.removePage,

		"run": c.runPage,

		"invocations":                         c.invocationsPage,
		"invocations/{id}":                    c.invocationPage,
		"invocations/{id}/live":               c.invocationLive,
		"invocations/{id}/outputs":            c.outputsPage,
		"invocations/{id}/alike/{n}":          c.alikePage,
		"invocations/{id}/stop":               c.stopPage,
		"invocations/{id}/retry":              c.retryPage,
		"invocations/{id}/on/{instance}":      c.outputPage,
		"invocations/{id}/on/{instance}/live": c.outputLive,

		"commands":             c.commandsPage,
		"commands/new":         c.newCommandPage,
		"commands/{id}":        c.commandPage,
		"commands/{id}/delete": c.deleteCommandPage,

		"schedules": c.schedulesPage,

		"activations":           c.activationsPage,
		"activations/{id}/live": c.arrivals,

		"keys":              c.keysPage,
		"keys/{id}/disable": c.disableKeyPage,
	}
}

// changes are what pages do, by their paths in a region.
func (c *Console) changes() map[string]action {
	return map[string]action{
		"fleet/add":         {"CreateActivation", c.add},
		"fleet/{id}/rename": {"ModifyManagedInstance", c.rename},
		"fleet/{id}/tag":    {"TagResources", c.tag},
		"fleet/{id}/untag":  {"UntagResources", c.untag},
		"fleet/{id}/remove": {"DeregisterManagedInstance", c.remove},

		"run": {"RunCommand", c.doRun},

		"invocations/{id}/stop":  {"StopInvocation", c.stop},
		"invocations/{id}/retry": {"RunCommand", c.retry},

		"commands/new":         {"CreateCommand", c.createCommand},
		"commands/{id}":        {"ModifyCommand", c.modifyCommand},
		"commands/{id}/delete": {"DeleteCommand", c.deleteCommand},

		"activations/{id}/disable": {"DisableActivation", c.disableActivation},
		"activations/{id}/delete":  {"DeleteActivation", c.deleteActivation},

		"keys/new":          {"CreateAccessKey", c.createKey},
		"keys/{id}/disable": {"DisableAccessKey", c.disableKey},
	}
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }
