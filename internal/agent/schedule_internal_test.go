//go:build unix

package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/schedule"
	"github.com/orderly-run/orderly/internal/wire"
)

func rate(text string, age time.Duration) wire.Plan {
	return wire.Plan{Mode: orderly.Period, Frequency: "rate(" + text + ")", Age: age.Milliseconds()}
}

// EX-2: times count from the task's creation, also after a restart of the agent. SC-2: what was while
// it was down is not made up for. The server is away all the time, and hears of all runs in the end.
func TestRateTimesCountFromCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		created := time.Now()
		f.sleep(90 * time.Second)
		f.hand(1, rate("60s", 90*time.Second), "echo hello")
		f.expect("at first", "0 Pending")
		f.do(func(a *Agent) { a.uplink.welcome = false })
		f.sleep(100 * time.Second)
		f.stop()
		f.sleep(10 * time.Minute)
		f.start()
		f.sleep(2 * time.Minute)
		if diff := cmp.Diff([]int64{120, 180, 840, 900}, f.starts(1, created)); diff != "" {
			t.Errorf("starts (-want +got):\n%s", diff)
		}
		f.expect("in the end", "1 Success hello", "2 Success hello", "3 Success hello", "4 Success hello")
		f.stop()
	})
}

// SC-3: what is due while the run before waits or goes on is left out, and no ordinal with it (RP-2).
func TestRunsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start(func(c *Config) { c.AtOnce = -1 })
		f.hand(1, rate("60s", 0), "echo hello")
		f.expect("at first", "0 Pending")
		f.sleep(5*time.Minute + time.Second)
		f.expect("while it waits")
		f.do(func(a *Agent) { a.cfg.AtOnce = 64; a.startWaiting() })
		f.expect("when there is room", "1 Success hello")
		f.sleep(time.Minute)
		f.expect("then", "2 Success hello")
		f.stop()
	})
}

// EX-9: the machine's own zone, unless there is another; SC-6: the end of the last run is the
// schedule's.
func TestCalendarsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		at := time.Now().Add(2 * time.Hour)
		f.hand(1, wire.Plan{Mode: orderly.Period, Frequency: "at(" + at.UTC().Format(time.DateTime) + ")"}, "exit 3")
		f.hand(2, wire.Plan{Mode: orderly.Period, Frequency: fmt.Sprintf("%d,%d %d %d %d %d ? %d", at.Second(), at.Second()+1,
			at.Minute(), at.Hour(), at.Day(), at.Month(), at.Year())}, "date +%s")
		f.expect("at first", "0 Pending", "0 Pending")
		f.sleep(time.Until(at) - time.Millisecond)
		f.expect("just before")
		f.sleep(time.Millisecond)
		f.do(func(a *Agent) {
			for _, it := range a.reports.flight.items {
				if !it.begun.Equal(at) {
					t.Errorf("%s began at %v, want %v", short(it), it.begun, at)
				}
			}
		})
		got := f.told()
		f.sleep(2 * time.Second)
		got = append(got, f.told()...)
		if len(got) != 3 || !slices.Contains(got[:2], "1 Failed ExitCodeNonzero !") || !strings.HasSuffix(got[2], " !") {
			t.Errorf("told %q, want a last run of each", got)
		}
		f.do(func(a *Agent) {
			if keys := a.keys(); len(keys) > 0 || len(a.tasks) > 0 || len(a.journal.Tasks()) > 0 {
				t.Errorf("%v are held, %v in the journal", keys, a.journal.Tasks())
			}
		})
		f.stop()
	})
}

// T2, EX-4: what cannot run is refused, with its code.
func TestScheduleIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		for i, c := range []struct {
			frequency string
			change    func(*wire.Run, *wire.Job)
			want      string
		}{
			{frequency: "rate(x)", want: "over Invalid InvalidRateExpression v1 !"},
			{frequency: "rate(9999999d)", want: "over Invalid RateFrequencyTooLarge v1 !"},
			{frequency: "at(tomorrow)", want: "over Invalid InvalidAtExpression v1 !"},
			{frequency: "at(1999-01-01 00:00:00)", want: "over Invalid AtExpressionExpired v1 !"},
			{frequency: "0 0 0 1 1 ? 1999", want: "over Invalid CronExpressionExpired v1 !"},
			{frequency: "0 0", want: "over Invalid BadCronExpression v1 !"},
			{frequency: "0 0 0 1 1 ? Mars/Olympus", want: "over Invalid TimezoneInformationCorrupt v1 !"},
			{frequency: "0 0 0 1 1 ? GMT+08:00", want: "over Invalid InvalidGMTOffsetHourForTimezone v1 !"},
			{"rate(60s)", func(_ *wire.Run, j *wire.Job) { j.Type = orderly.RunBatScript }, "over Invalid CommandNotApplicable v1 !"},
			{"rate(60s)", func(_ *wire.Run, j *wire.Job) { j.Launcher = "sh {{ACS::Home}}" }, "over Invalid InvalidCommandText v1 !"},
			{"rate(60s)", func(r *wire.Run, _ *wire.Job) { r.Job = json.RawMessage(`{"content":"?"}`) }, "over Invalid CommandContentDecodeError v1 !"},
			{"rate(60s)", func(r *wire.Run, _ *wire.Job) { r.Allowance = -1 }, "over Aborted DeliveryTimeout !"},
		} {
			change := c.change
			if change == nil {
				change = func(*wire.Run, *wire.Job) {}
			}
			f.hand(int64(i), wire.Plan{Mode: orderly.Period, Frequency: c.frequency, Version: 1}, "true", change)
			f.expect(c.frequency, c.want)
			f.hand(int64(i), wire.Plan{Mode: orderly.Period, Frequency: c.frequency, Version: 1}, "true", change)
			f.expect(c.frequency + " once more, when that was acknowledged")
		}
		f.hand(100, wire.Plan{Mode: "Sometimes"}, "true")
		f.expect("an unknown mode", "0 Error ExecutionException")
		f.stop()
	})
}

// HND-5, STOP-3: a stopped schedule never runs again, whatever comes later and whoever is told.
func TestStoppedScheduleStaysStopped(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*fake)
		want   []string
	}{
		"between runs":  {func(f *fake) { f.sleep(61 * time.Second); f.told() }, []string{"over Cancelled !"}},
		"before a run":  {func(*fake) {}, []string{"over Cancelled !"}},
		"with reports":  {func(f *fake) { f.sleep(61 * time.Second) }, []string{"1 Success", "over Cancelled !"}},
		"while waiting": {func(f *fake) { f.do(func(a *Agent) { a.cfg.AtOnce = -1 }); f.sleep(61 * time.Second) }, []string{"over Cancelled !"}},
		"waiting long": {func(f *fake) {
			f.do(func(a *Agent) { a.cfg.AtOnce = -1 })
			f.sleep(3 * time.Minute)
		}, []string{"over Cancelled !"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.start()
				f.hand(1, rate("60s", 0), "echo run >> log")
				f.expect("at first", "0 Pending")
				c.before(f)
				runs := len(f.log())
				f.send(wire.ToAgent{Stop: f.ref(1)})
				f.hand(1, rate("60s", 0), "echo run >> log") // overtaken by the stop
				f.sleep(5 * time.Minute)
				f.do(func(a *Agent) { a.uplink.welcome = false; a.reports.flight = nil }) // nobody heard
				f.stop()
				f.start()
				f.hand(1, wire.Plan{Mode: orderly.Period, Frequency: "rate(60s)", Version: 9}, "echo run >> log")
				f.sleep(5 * time.Minute)
				f.send(wire.ToAgent{Stop: f.ref(1)})
				f.expect("after a restart", c.want...)
				f.hand(1, rate("60s", 0), "echo run >> log")
				f.sleep(5 * time.Minute)
				f.expect("later")
				if got := len(f.log()); got != runs {
					t.Errorf("%d runs after the stop", got-runs)
				}
				f.stop()
			})
		})
	}
}

// AB-1: a schedule that is held was delivered; one that never came never will be.
func TestExpiryOfASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		f.hand(1, rate("60s", 0), "true")
		f.send(wire.ToAgent{Expire: f.ref(1)})
		f.send(wire.ToAgent{Expire: f.ref(2)})
		f.hand(2, rate("60s", 0), "true")
		f.sleep(61 * time.Second)
		f.expect("then", "0 Pending", "0 Pending", "over Aborted !", "1 Success")
		f.stop()
	})
}

// MIA-6, MIA-7: the next run is that of the newest version, by its times, which count from the same
// creation; T23: one that makes no sense ends the schedule.
func TestVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		version := func(n int, frequency string) wire.Plan {
			return wire.Plan{Mode: orderly.Period, Frequency: frequency, Version: n, Age: 1} // placed anew it would count from now
		}
		created := time.Now()
		f.hand(1, version(1, "rate(60s)"), "echo one")
		f.expect("at first", "0 Pending v1")
		f.sleep(70 * time.Second)
		f.hand(1, version(2, "rate(90s)"), "echo two")
		f.expect("replaced", "1 Success one v1", "0 Pending v2")
		f.hand(1, version(1, "rate(60s)"), "echo one")
		f.expect("an older one", "0 Pending v2")
		f.do(func(a *Agent) { a.uplink.welcome = false })
		f.sleep(30 * time.Second)
		f.stop()
		f.start()
		f.sleep(100 * time.Second)
		if diff := cmp.Diff([]int64{89, 179}, f.starts(1, created)); diff != "" { // it was created 1 ms before
			t.Errorf("starts (-want +got):\n%s", diff)
		}
		f.expect("runs of the second", "2 Success two v2", "3 Success two v2")
		f.do(func(a *Agent) { a.cfg.AtOnce = -1 })
		f.sleep(90 * time.Second)
		f.hand(1, version(3, "rate(60s)"), "echo three")
		f.do(func(a *Agent) { a.cfg.AtOnce = 64; a.startWaiting() })
		f.expect("replaced while a run waited", "0 Pending v3", "4 Success three v3")
		f.do(func(a *Agent) { a.cfg.AtOnce = -1 })
		f.sleep(90 * time.Second)
		f.hand(1, version(4, "rate(0s)"), "echo four")
		f.do(func(a *Agent) { a.cfg.AtOnce = 64; a.startWaiting() })
		f.expect("refused", "over Invalid InvalidRateExpression v4 !")
		f.sleep(5 * time.Minute)
		f.expect("nothing more")
		f.stop()
	})
}

// A machine's clock may be set, and the machine may sleep: a time that comes late is left out (SC-2),
// and none comes twice.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		f.hand(1, wire.Plan{Mode: orderly.Period, Frequency: "0 0 12 * * ? UTC"}, "true")
		f.expect("at first", "0 Pending")
		due := func(ago time.Duration) {
			f.do(func(a *Agent) {
				a.tick(a.tasks[Occurrence{TaskKey: orderly.TaskKey{Invocation: 1}}], time.Now().Add(-ago))
			})
		}
		due(31 * time.Second)
		f.expect("late")
		due(29 * time.Second)
		f.expect("not very late", "1 Success")
		due(-time.Second)
		f.expect("too early")
		now := time.Now()
		for _, c := range []struct {
			ahead time.Duration // how far the newest time is ahead of the clock, which was set back
			want  time.Duration
		}{
			{0, time.Second}, {-time.Hour, time.Second}, {5 * time.Second, 6 * time.Second}, {time.Hour, time.Second},
		} {
			every, err := schedule.Parse("* * * * * *")
			if err != nil {
				t.Fatal(err)
			}
			next, ok := f.agent.next(&plan{mode: orderly.Period, expr: every, fired: now.Add(c.ahead)})
			if !ok || next.Sub(now) != c.want {
				t.Errorf("fired %v ahead: next in %v, want %v", c.ahead, next.Sub(now), c.want)
			}
		}
		f.stop()
	})
}

// A server that knows of more runs than the agent's journal is believed (RP-2).
func TestOrdinalsGoOnFromTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		p := rate("60s", 0)
		p.Ran = 41
		f.hand(1, p, "true")
		f.sleep(61 * time.Second)
		f.expect("then", "0 Pending", "42 Success")
		p.Ran = 50
		f.hand(1, p, "true")
		f.sleep(61 * time.Second)
		f.expect("then", "0 Pending", "51 Success")
		f.stop()
		f.start()
		f.sleep(61 * time.Second)
		f.expect("after a restart", "52 Success")
		f.stop()
	})
}

// Nobody runs the schedules of an instance that another agent has taken over.
func TestRivalKeepsSchedulesStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		f.hand(1, rate("60s", 0), "echo run >> log")
		f.do(func(a *Agent) { a.uplink.rival = true })
		f.sleep(3 * time.Minute)
		if n := len(f.log()); n > 0 {
			t.Errorf("%d runs beside a rival", n)
		}
		f.do(func(a *Agent) { a.uplink.rival = false })
		f.sleep(time.Minute)
		if n := len(f.log()); n != 1 {
			t.Errorf("%d runs when it had gone, want 1", n)
		}
		f.stop()
	})
}

// Design rule 8: when not even ends fit, nothing more is run.
func TestFullSpoolLeavesRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		f.hand(1, rate("60s", 0), "echo hello; echo run >> log")
		f.do(func(a *Agent) { a.uplink.welcome = false; a.cfg.Spool = 400 })
		f.sleep(time.Hour)
		runs := len(f.log())
		if runs < 2 || runs > 10 {
			t.Errorf("%d runs fill 400 bytes", runs)
		}
		f.do(func(a *Agent) { a.reports.flight = nil })
		if got := f.told(); len(got) != runs || got[0] != "1 Success" {
			t.Errorf("told %q, want %d runs, the first without its output", got, runs)
		}
		f.sleep(61 * time.Second)
		f.expect("with room again", fmt.Sprint(runs+1, " Success hello"))
		f.stop()
	})
}

// RM-5: DryRun checks and runs nothing.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.start()
		for i, c := range []struct {
			change func(*wire.Run, *wire.Job)
			want   string
		}{
			{func(*wire.Run, *wire.Job) {}, "0 Success"},
			{func(_ *wire.Run, j *wire.Job) { j.Launcher = "python3 {{ACS::ScriptFileName|Ext(.py)}}" }, "0 Success"},
			{func(_ *wire.Run, j *wire.Job) { j.Launcher = "python3 {{ACS::Script}}" }, "0 Invalid InvalidCommandText"},
			{func(_ *wire.Run, j *wire.Job) { j.Username = "no-such-user" }, "0 Invalid AccountNotExists"},
			{func(_ *wire.Run, j *wire.Job) { j.WorkingDir = "/no/such" }, "0 Invalid DirectoryNotExists"},
			{func(_ *wire.Run, j *wire.Job) { j.Type = orderly.RunPowerShellScript }, "0 Invalid CommandNotApplicable"},
			{func(r *wire.Run, _ *wire.Job) { r.Job = json.RawMessage(`{"content":"?"}`) }, "0 Invalid CommandContentDecodeError"},
			{func(r *wire.Run, _ *wire.Job) { r.Job = json.RawMessage(`[]`) }, "0 Invalid CommandNotApplicable"},
			{func(r *wire.Run, _ *wire.Job) { r.Allowance = -1 }, "0 Aborted DeliveryTimeout"},
		} {
			f.hand(int64(i), wire.Plan{Mode: orderly.DryRun}, "echo run >> log", c.change)
			f.do(func(a *Agent) {
				if it := a.reports.flight.items[0]; it.ExitCode != nil || !it.begun.IsZero() || it.over.IsZero() || it.Number != wire.EndNumber {
					t.Errorf("%d: %+v", i, it)
				}
			})
			f.expect(fmt.Sprint(i), c.want)
		}
		if log := f.log(); len(log) > 0 {
			t.Errorf("%q was run", log)
		}
		f.stop()
	})
}
