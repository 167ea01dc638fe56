package survive_test

import "time"

// planMishap plans one of all that can go wrong.
func (r *round) planMishap() {
	all := []func(){
		r.planServerKilled, r.planServerKilled, r.planServerKilled, r.planServerKilled,
		r.planAgentKilled, r.planAgentKilled, r.planAgentKilled,
		r.planNetworkAway, r.planNetworkAway,
		r.planReinstalled, r.planJournalLost, r.planTwin,
	}
	all[r.random.IntN(len(all))]()
}

// A moment is when a mishap strikes: it waits for what is worth waiting for.
type moment struct {
	what  string
	await func()
}

// started and ended strike when a script has just written that it starts or ends; "" for id is
// any instance.
func (r *round) written(what string, m *machine) moment {
	return moment{what, func() {
		r.on(r.ledger.next(func(e entry) bool { return e.what == what && (m == nil || e.instance == m.id()) }))
	}}
}

// passing strikes when a message passes a machine's network, which is lost or not.
func (r *round) passing(what string, m *machine, is func(message) bool, lost bool) moment {
	return moment{what, func() {
		seen := m.net.next(is, lost)
		select {
		case <-seen:
		case <-time.After(span):
		case <-r.t.Context().Done():
		}
		m.net.lose(nil)
	}}
}

var now = moment{"now", func() {}}

// planServerKilled kills the server between accept, hand-out, report and acknowledgement, and
// starts it again.
func (r *round) planServerKilled() {
	m, lost, pause := r.one(), r.random.IntN(2) == 0, r.some(restart)
	when := []moment{
		now, {"accepted", r.awaitAccepted}, r.written("start", nil), r.written("end", nil),
		r.passing("handed out", m, isRun, lost), r.passing("reported", m, isReport, lost), r.passing("acknowledged", m, isAck, lost),
		r.passing("stopped", m, isStop, lost),
	}[r.random.IntN(8)]
	r.add("server killed: "+when.what, func() {
		when.await()
		r.restart(pause)
	})
}

// awaitAccepted waits until the next RunCommand is answered.
func (r *round) awaitAccepted() {
	before := len(r.jobs())
	deadline := time.Now().Add(span)
	for len(r.jobs()) == before && time.Now().Before(deadline) {
		r.wait(time.Millisecond)
	}
}

// planAgentKilled kills an agent before and after the start of a process, and starts it again.
func (r *round) planAgentKilled() {
	m, lost, pause := r.one(), r.random.IntN(2) == 0, r.some(restart)
	when := []moment{
		now, r.written("start", m), r.written("end", m), r.passing("handed out", m, isRun, lost),
		r.passing("end reported", m, isEnd, lost), r.passing("acknowledged", m, isAck, lost), r.passing("stopped", m, isStop, lost),
	}[r.random.IntN(7)]
	r.add(m.Name+" killed: "+when.what, func() {
		when.await()
		m.life.Lock()
		defer m.life.Unlock()
		m.kill()
		r.wait(pause)
		m.Launch()
	})
}

// planNetworkAway takes the network away for 30 s, as they are here.
func (r *round) planNetworkAway() {
	m, stall := r.one(), r.random.IntN(2) == 0
	what := m.Name + " cut off"
	if stall {
		what = m.Name + " stalled"
	}
	r.add(what, func() {
		if stall {
			m.net.stall()
		} else {
			m.net.sever()
		}
		r.wait(outage)
		m.net.heal()
	})
}

// planReinstalled has a machine lose all it knows and register as another instance. Some operators
// deregister the former one.
func (r *round) planReinstalled() {
	m, deregister := r.one(), r.random.IntN(2) == 0
	r.add(m.Name+" reinstalled", func() {
		m.life.Lock()
		defer m.life.Unlock()
		before := m.ID
		m.kill()
		r.note(forgot, before)
		r.leave(before)
		r.life.Lock() // registering takes a server
		defer r.life.Unlock()
		m.register(m.Name)
		m.Launch()
		if !deregister {
			return
		}
		q := struct{ InstanceId, ClientToken string }{before, before}
		if err := r.server.API.Call(r.t.Context(), "DeregisterManagedInstance", q, nil); err != nil {
			r.t.Errorf("deregister %s: %v", before, err)
		}
	})
}

// planJournalLost has an agent start with another journal under the same identity.
func (r *round) planJournalLost() {
	m := r.one()
	r.add(m.Name+" without its journal", func() {
		m.life.Lock()
		defer m.life.Unlock()
		m.kill()
		m.forget()
		m.Launch()
	})
}

// planTwin starts a second agent with a copy of an identity, for a while.
func (r *round) planTwin() {
	m, lasts := r.one(), r.some(span)
	r.add("twin of "+m.Name, func() {
		m.life.Lock()
		twin := m.Twin()
		m.life.Unlock()
		r.reach(twin.Dir, "nats://"+r.server.NATS)
		twin.Launch()
		r.wait(lasts)
		twin.Kill()
		r.note(forgot, twin.ID)
	})
}
