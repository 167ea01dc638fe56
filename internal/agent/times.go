package agent

import (
	"math/rand/v2"
	"time"
)

// Times are the agent's time constants; DefaultTimes has those in force unless configured otherwise.
type Times struct {
	Hello     Backoff       // between hellos that nobody answers
	Report    Backoff       // between sendings of a report that is not acknowledged
	Reconnect Backoff       // between attempts to connect
	Rival     time.Duration // after another link was found to hold the instance: half of it to all of it
	Heartbeat time.Duration // between beats until the server says how often
	Ping      time.Duration // between probes of the connection; it is dead when two go unanswered
	Running   time.Duration // a command that ends sooner reports its end only
	Live      time.Duration // between pieces of output of a running command
	Leave     time.Duration // for ending when the agent is told to
	Grace     time.Duration // between asking a command to end and killing it; 0 kills at once, MaxGrace is the most
	Rest      time.Duration // of quiet after which memory that is free goes back to the system
	Clock     time.Duration // between looks at a clock that may be set; what is due and later than this is left out
}

// DefaultTimes are the constants of the protocol.
var DefaultTimes = Times{
	Hello:     Backoff{time.Second, 30 * time.Second},
	Report:    Backoff{2 * time.Second, time.Minute},
	Reconnect: Backoff{500 * time.Millisecond, time.Minute},
	Rival:     time.Minute,
	Heartbeat: time.Minute,
	Ping:      time.Minute,
	Running:   50 * time.Millisecond,
	Live:      time.Second,
	Leave:     5 * time.Second,
	Grace:     5 * time.Second,
	Rest:      10 * time.Second,
	Clock:     30 * time.Second,
}

// MaxGrace leaves enough of the minute that a server waits for the answer to a stop, or for the end of a
// command that is out of time (T18, TO-1).
const MaxGrace = 45 * time.Second

// Scale divides all times by n, which lets stories with processes run n times shorter, but not the
// time for leaving, since a kill takes what it takes, nor that between looks at the clock.
func (t Times) Scale(n int) Times {
	d := time.Duration(n)
	return Times{
		t.Hello.scale(d), t.Report.scale(d), t.Reconnect.scale(d), t.Rival / d, t.Heartbeat / d,
		t.Ping / d, t.Running / d, t.Live / d, t.Leave, t.Grace / d, t.Rest / d, t.Clock,
	}
}

// A Backoff is a pause that doubles from First to Max.
type Backoff struct{ First, Max time.Duration }

func (b Backoff) scale(d time.Duration) Backoff { return Backoff{b.First / d, b.Max / d} }

// pause is how long to wait after n attempts that had no effect: half to one and a half of the
// doubled pause, so that those who failed together do not try together.
func (b Backoff) pause(n int) time.Duration {
	d := b.Max
	if n < 16 {
		d = min(d, b.First<<n)
	}
	return d/2 + jitter(d)
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
