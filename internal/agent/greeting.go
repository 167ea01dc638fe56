package agent

import (
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// hello says who is there until the server answers, later each time.
func (a *Agent) hello(c *connection) {
	keys := a.keys()
	m := wire.Hello{
		Link: a.link, Incarnation: a.journal.Incarnation(), Boot: a.boot,
		Version: wire.Version, Agent: a.cfg.Version, Digest: wire.Digest(keys),
	}
	if a.uplink.listed {
		m.Listed = true
		m.Tasks, m.After, m.Upto = a.uplink.list(keys)
	}
	a.publish(wire.KindHello, m)
	a.uplink.hellos++
	n := a.uplink.hellos
	a.after(a.cfg.Times.Hello.pause(n-1), func() {
		if a.uplink.conn == c && a.uplink.hellos == n && c.up {
			a.hello(c)
		}
	})
}

// list is the part of the keys that is to be told next.
func (u *uplink) list(keys []orderly.TaskKey) (part []orderly.TaskKey, after, upto *orderly.TaskKey) {
	if u.part <= 0 {
		return keys, nil, nil
	}
	slices.SortFunc(keys, orderly.TaskKey.Compare)
	from := 0
	if u.after != nil {
		from, _ = slices.BinarySearchFunc(keys, *u.after, orderly.TaskKey.Compare)
		for from < len(keys) && keys[from] == *u.after {
			from++
		}
	}
	if part = keys[from:]; len(part) <= u.part {
		return part, u.after, nil
	}
	part = part[:u.part]
	return part, u.after, &part[len(part)-1]
}

// welcomed is called when the server knows this link, or wants to know more.
func (a *Agent) welcomed(w *wire.Welcome) {
	u := &a.uplink
	if u.conn == nil {
		return
	}
	u.heartbeat = milliseconds(w.Heartbeat)
	u.window.Store(int64(milliseconds(w.Window)))
	a.move(w.Addresses)
	if w.Tasks {
		u.listed, u.hellos, u.part, u.after = true, 0, min(w.Part, wire.MaxListed), w.After
		a.hello(u.conn)
		return
	}
	u.listed, u.hellos, u.after = false, 0, nil
	if !u.welcome {
		a.log.Info("welcome")
	}
	u.welcome, u.admitted, u.rival = true, true, false
	a.rest() // what it took to connect is free
	a.stand(Connected)
	a.scheduleBeat()
	a.resumeReports()
	early := a.early
	a.early = nil
	for _, m := range early {
		a.receiveRun(m)
	}
	a.startWaiting()
}

// move remembers where the servers are now. The connection stays; the next one goes there.
func (a *Agent) move(to wire.Addresses) {
	id, err := a.identity.moved(to)
	if err == nil && slices.Equal(id.servers(), a.identity.servers()) && slices.Equal(id.buses(), a.identity.buses()) {
		return
	}
	if err == nil {
		err = id.save(filepath.Join(a.cfg.Dir, identityFile))
	}
	if nc := a.uplink.conn.nc; err == nil && nc != nil {
		err = nc.SetServerPool(id.buses())
	}
	if err != nil {
		a.log.Warn("the server's new addresses cannot be used", "error", err)
		return
	}
	a.identity = id
	a.dialer.aim(id)
	a.log.Info("the server has told its addresses", "servers", id.servers(), "buses", id.buses())
}

// dismissed is called when the server does not want this link.
func (a *Agent) dismissed(reason string) {
	a.disconnect()
	a.uplink.admitted, a.uplink.rival, a.early = false, true, nil
	if s, ok := dismissals[reason]; ok {
		a.stand(s)
	}
	switch reason {
	case wire.ByeDeregistered:
		a.fail(ErrDeregistered)
		return
	case wire.ByeVersion:
		a.fail(ErrVersion)
		return
	}
	wait := a.cfg.Times.Rival/2 + jitter(a.cfg.Times.Rival/2)
	a.log.Error("another agent is connected as this instance: if the machine was copied, register the copy again", "reason", reason, "retry_in", wait)
	a.after(wait, func() {
		if a.uplink.conn == nil && !a.leaving {
			a.connect()
		}
	})
}

// beat gives a sign of life, asked for or not.
func (a *Agent) beat(probed bool) {
	a.log.Debug("beat", "tasks", len(a.tasks), "running", len(a.active), "goroutines", runtime.NumGoroutine())
	a.publish(wire.KindBeat, wire.Beat{Link: a.link, Probed: probed})
}

// scheduleBeat lets beats follow each other by the time the server asks for, a twelfth more or less
// (HB-2).
func (a *Agent) scheduleBeat() {
	u := &a.uplink
	if u.beats != nil {
		u.beats.Stop()
	}
	every := u.heartbeat
	if every <= 0 {
		every = a.cfg.Times.Heartbeat
	}
	every = max(every, time.Millisecond)
	var timer *time.Timer
	timer = time.AfterFunc(every-every/12+jitter(every/6), func() {
		a.post(func() {
			if u.beats == timer && u.welcome {
				a.beat(false)
				a.scheduleBeat()
			}
		})
	})
	u.beats = timer
}
