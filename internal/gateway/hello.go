package gateway

import (
	"context"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// A hello is one that waits to be answered.
type hello struct {
	instance string
	wire.Hello
	received time.Time // on the store's clock
	usurps   string    // a link that did not answer a probe
}

// token is the form of what agents make up: it becomes part of subjects.
var token = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// version is the form of what an agent calls itself.
var version = regexp.MustCompile(`^[!-~]{0,64}$`)

func (g *Gateway) onHello(m *nats.Msg) {
	instance := wire.Sender(m.Subject)
	if !g.hellosOf.take(instance) {
		return
	}
	h, err := wire.Decode[wire.Hello](m.Data)
	switch {
	case err != nil || !token.MatchString(h.Link) || !token.MatchString(h.Incarnation) || !token.MatchString(h.Boot) || !version.MatchString(h.Agent):
		g.malformed(wire.KindHello, instance, &g.hellosOf)
	case h.Version != wire.Version:
		g.bus.say(instance, h.Link, wire.ToAgent{Goodbye: wire.ByeVersion})
		g.hellosOf.give(instance)
	case !g.hellos.add(hello{instance: instance, Hello: h, received: g.db.Now()}):
		g.hellosOf.give(instance)
	}
}

// sulk is how long a message that makes no sense counts as waiting: whoever sends many of them is neither read nor told
// of in the log all the time.
const sulk = time.Second

// malformed notes that an instance has sent what no agent sends, with a share of its that was taken.
func (g *Gateway) malformed(kind, instance string, of *shares) {
	g.cfg.Log.Warn("malformed message", "kind", kind, "instance", instance)
	time.AfterFunc(sulk, func() { of.give(instance) })
}

// greet answers hellos. Of several from one instance the newest counts.
func (g *Gateway) greet(ctx context.Context, list []hello) {
	newest := map[string]int{}
	for i := range list {
		newest[list[i].instance] = i
		if list[i].usurps == "" {
			g.hellosOf.give(list[i].instance)
		}
	}
	var hellos []hello
	var greetings []engine.Greeting
	for i, h := range list {
		if newest[h.instance] == i {
			hellos = append(hellos, h)
			greetings = append(greetings, h.greeting())
		}
	}
	admitted, err := g.engine.Greet(ctx, greetings)
	if err != nil {
		g.cfg.Log.Error("greet agents", "err", err) // they say hello again
		return
	}
	for i, a := range admitted {
		g.answer(ctx, hellos[i], a)
	}
}

func (h hello) greeting() engine.Greeting {
	return engine.Greeting{
		Link:   store.Link{Instance: h.instance, ID: h.Link, AgentVersion: h.Agent, Boot: orderly.Boot{Incarnation: h.Incarnation, ID: h.Boot}},
		Digest: func(tasks []orderly.TaskKey) bool { return wire.Digest(tasks) == h.Digest },
		Listed: h.Listed || h.Digest == "",
		Tasks:  h.Tasks,
		After:  h.After,
		Upto:   h.Upto,
		Usurps: h.usurps,

		Received: h.received,
	}
}

func (g *Gateway) answer(ctx context.Context, h hello, a engine.Admission) {
	switch {
	case a.Unknown:
		g.bus.say(h.instance, h.Link, wire.ToAgent{Goodbye: wire.ByeDeregistered})
	case a.Rival != "":
		go g.challenge(ctx, h, a.Rival) // ends after cfg.Probe
	default:
		g.bus.say(h.instance, h.Link, wire.ToAgent{Welcome: g.welcome(a.List, a.After)})
		g.bus.Send(a.Send)
		if link := (seat{h.instance, h.Link}); g.bus.srv != nil && !g.callout.holds(link) {
			g.lost.add(link) // its connection ended before it was stored that it had come
		}
	}
}

// A probe is a question to a link whether it lives.
type probe struct {
	alive, gone chan struct{} // one of them is closed with the answer
}

// challenge asks the link that holds an instance whether it lives. When it does, the one that says
// hello is a duplicate; when it does not answer, or its connection ends, its place is free.
func (g *Gateway) challenge(ctx context.Context, h hello, rival string) {
	asked := seat{h.instance, rival}
	p, ok := g.startProbe(asked)
	if !ok {
		return // being asked already; the agent says hello again
	}
	g.bus.say(h.instance, rival, wire.ToAgent{Probe: true})
	if g.bus.srv != nil && !g.callout.holds(asked) && g.callout.alone(h.instance) {
		g.endProbe(asked, false) // the only connection is that of the one who asks
	}
	wait := time.NewTimer(g.cfg.Probe)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return
	case <-p.alive:
		g.cfg.Log.Warn("duplicate identity: a second agent claims an instance", "instance", h.instance, "link", h.Link, "holder", rival)
		g.bus.say(h.instance, h.Link, wire.ToAgent{Goodbye: wire.ByeDuplicate})
		return
	case <-p.gone:
	case <-wait.C:
		g.endProbe(asked, false)
	}
	if g.bus.srv != nil && !g.callout.holds(seat{h.instance, h.Link}) {
		return // who asked has gone meanwhile, and takes nobody's place
	}
	h.usurps = rival
	g.hellos.add(h)
}

func (g *Gateway) startProbe(link seat) (probe, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, ok := g.probes[link]; ok {
		return p, false
	}
	p := probe{make(chan struct{}), make(chan struct{})}
	g.probes[link] = p
	return p, true
}

// endProbe answers the question about a link, if there is one.
func (g *Gateway) endProbe(link seat, alive bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, ok := g.probes[link]
	if !ok {
		return
	}
	delete(g.probes, link)
	if alive {
		close(p.alive)
	} else {
		close(p.gone)
	}
}

// maxBeat is more bytes than a beat has.
const maxBeat = 256

func (g *Gateway) onBeat(m *nats.Msg) {
	var b wire.Beat
	err := errMalformed
	if len(m.Data) <= maxBeat {
		b, err = wire.Decode[wire.Beat](m.Data)
	}
	if err != nil {
		if instance := wire.Sender(m.Subject); g.badBeatsOf.take(instance) {
			g.malformed(wire.KindBeat, instance, &g.badBeatsOf)
		}
		return
	}
	s := seat{wire.Sender(m.Subject), b.Link}
	g.mu.Lock()
	g.beats[s.instance] = store.Beat{Link: s.link, At: g.db.Now()}
	g.mu.Unlock()
	if b.Probed {
		select {
		case g.probed <- struct{}{}: // somebody waits for it
		default:
		}
	}
	g.endProbe(s, true)
}

// writeBeats stores signs of life, many at a time; those that were asked for at once.
func (g *Gateway) writeBeats(ctx context.Context) error {
	tick := time.NewTicker(g.cfg.Presence)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-g.probed:
		}
		g.mu.Lock()
		beats := g.beats
		g.beats = map[string]store.Beat{}
		g.mu.Unlock()
		if len(beats) > 0 {
			g.storeBeats(ctx, beats)
		}
	}
}

// storeBeats stores signs of life. A link that beats without holding its instance is asked to say
// hello again: it was taken for lost, or its server's word did not reach it.
func (g *Gateway) storeBeats(ctx context.Context, beats map[string]store.Beat) {
	var strangers []string
	err := g.db.Write(ctx, store.Mass, func(tx *store.Tx) (err error) {
		strangers, err = tx.Alive(beats)
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			g.cfg.Log.Error("store signs of life", "err", err)
		}
		return
	}
	for _, instance := range strangers {
		g.bus.say(instance, beats[instance].Link, wire.ToAgent{Welcome: g.welcome(true, nil)})
	}
}

// welcome is what an agent is greeted with, or asked for its list behind a key with.
func (g *Gateway) welcome(list bool, after *orderly.TaskKey) *wire.Welcome {
	w := &wire.Welcome{Heartbeat: g.cfg.Heartbeat.Milliseconds(), Tasks: list, Window: g.cfg.Window.Milliseconds(),
		Addresses: wire.Addresses{Servers: g.cfg.Servers, Buses: g.advertised()}}
	if list {
		w.Part, w.After = wire.MaxListed, after
	}
	return w
}

// forgetLinks stores that links went down.
func (g *Gateway) forgetLinks(ctx context.Context, list []seat) {
	for rest := list; len(rest) > 0; {
		links := map[string]string{}
		var more []seat // of instances that lose another link too
		for _, s := range rest {
			if other, ok := links[s.instance]; ok && other != s.link {
				more = append(more, s)
			} else {
				links[s.instance] = s.link
			}
		}
		if err := g.engine.Lost(ctx, links); err != nil && ctx.Err() == nil {
			g.cfg.Log.Error("store lost links", "err", err)
		}
		rest = more
	}
	for _, s := range list {
		g.endProbe(s, false)
	}
}
