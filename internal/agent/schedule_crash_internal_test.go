//go:build unix

package agent

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// scheduled is the journal's record of a schedule that is task 1.
func scheduled(p wire.Plan, due bool) func(*Journal) error {
	return func(j *Journal) error {
		key := orderly.TaskKey{Invocation: 1}
		job := wire.Encode(wire.Job{Type: orderly.RunShellScript, Content: []byte("true"), WorkingDir: "/"})
		r := wire.Run{TaskKey: key, Plan: &p, Job: job}
		return j.Scheduled(key, wire.Encode(handout{Run: r, Created: time.Now().UnixMilli(), Due: due}))
	}
}

// occ is a run of task 1, or the task.
func occ(run int) Occurrence { return Occurrence{orderly.TaskKey{Invocation: 1}, run} }

func starting(run int) func(*Journal) error {
	return func(j *Journal) error { return j.Starting(occ(run)) }
}

func started(run int) func(*Journal) error {
	return func(j *Journal) error {
		return j.Started(occ(run), Process{PID: 1 << 22, StartTime: 1, At: time.Now()})
	}
}

func ended(run int, o outcome) func(*Journal) error {
	return func(j *Journal) error { return j.Ended(occ(run), o.encode()) }
}

func acked(run int) func(*Journal) error { return func(j *Journal) error { return j.Acked(occ(run)) } }

func tombstone(j *Journal) error { return j.Tombstone(occ(0).TaskKey) }

// A step is a record of a life, and what an agent tells and does within the next minute that finds it
// as the last one.
type step struct {
	name    string
	write   func(*Journal) error
	crashed []string // after a restart of the agent
	booted  []string // after one of the machine
}

// Promises 2 and 3 for schedules: wherever the agent or the machine dies, no run is told twice, none
// that was started is lost, and the rest goes on (HND-6, SC-2, RM-4).
func TestScheduleSurvivesAnyCrash(t *testing.T) {
	success := outcome{State: orderly.Success}
	refused := outcome{State: orderly.Invalid, Code: orderly.BadCronExpression, Over: true}
	lives := map[string][]step{
		"Period": {
			{"held", scheduled(rate("60s", 0), false), []string{"1 Success"}, []string{"1 Success"}},
			{"starting", starting(1), []string{"1 Error ClientRestarted", "2 Success"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"started", started(1), []string{"1 Error ClientRestarted", "2 Success"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"ended", ended(1, success), []string{"1 Success", "2 Success"}, []string{"1 Success", "2 Success"}},
			{"acknowledged", acked(1), []string{"2 Success"}, []string{"2 Success"}},
			{"starting again", starting(2), []string{"2 Error ClientRestarted", "3 Success"}, []string{"2 Error InstanceRestarted", "3 Success"}},
			{"stopped", tombstone, []string{"2 Error ClientRestarted !"}, []string{"2 Error InstanceRestarted !"}},
			{"killed", ended(2, outcome{State: orderly.Terminated, Last: true}), []string{"2 Terminated !"}, []string{"2 Terminated !"}},
			{"forgotten", acked(0), nil, nil},
		},
		"stopped between runs": {
			{"held", scheduled(rate("60s", 0), false), []string{"1 Success"}, []string{"1 Success"}},
			{"ended", ended(1, success), []string{"1 Success", "2 Success"}, []string{"1 Success", "2 Success"}},
			{"stopped", tombstone, []string{"1 Success", "over Cancelled !"}, []string{"1 Success", "over Cancelled !"}},
			{"over", ended(0, outcome{State: orderly.Cancelled, Over: true}), []string{"1 Success", "over Cancelled !"}, []string{"1 Success", "over Cancelled !"}},
			{"acknowledged", acked(1), []string{"over Cancelled !"}, []string{"over Cancelled !"}},
			{"forgotten", acked(0), nil, nil},
		},
		"refused while it ran": { // T23
			{"held", scheduled(rate("60s", 0), false), []string{"1 Success"}, []string{"1 Success"}},
			{"starting", starting(1), []string{"1 Error ClientRestarted", "2 Success"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"refused", ended(0, refused), []string{"1 Error ClientRestarted", "over Invalid BadCronExpression !"}, []string{"1 Error InstanceRestarted", "over Invalid BadCronExpression !"}},
			{"ended", ended(1, success), []string{"1 Success", "over Invalid BadCronExpression !"}, []string{"1 Success", "over Invalid BadCronExpression !"}},
		},
		"at, once it is over": {
			{"held", scheduled(wire.Plan{Mode: orderly.Period, Frequency: "at(1999-01-01 00:00:00)"}, false), []string{"over Invalid AtExpressionExpired !"}, []string{"over Invalid AtExpressionExpired !"}},
			{"starting", starting(1), []string{"1 Error ClientRestarted !"}, []string{"1 Error InstanceRestarted !"}},
			{"ended", ended(1, outcome{State: orderly.Success, Last: true}), []string{"1 Success !"}, []string{"1 Success !"}},
		},
		"EveryReboot": {
			{"held", scheduled(wire.Plan{Mode: orderly.EveryReboot}, false), nil, []string{"1 Success"}},
			{"starting", starting(1), []string{"1 Error ClientRestarted"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"started", started(1), []string{"1 Error ClientRestarted"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"ended", ended(1, success), []string{"1 Success"}, []string{"1 Success", "2 Success"}},
			{"acknowledged", acked(1), nil, []string{"2 Success"}},
			{"stopped", tombstone, []string{"over Cancelled !"}, []string{"over Cancelled !"}},
		},
		"EveryReboot, due at once": {
			{"held", scheduled(wire.Plan{Mode: orderly.EveryReboot}, true), []string{"1 Success"}, []string{"1 Success"}},
			{"starting", starting(1), []string{"1 Error ClientRestarted"}, []string{"1 Error InstanceRestarted", "2 Success"}},
			{"ended", ended(1, success), []string{"1 Success"}, []string{"1 Success", "2 Success"}},
			{"acknowledged", acked(1), nil, []string{"2 Success"}},
		},
		"NextRebootOnly": {
			{"held", scheduled(wire.Plan{Mode: orderly.NextRebootOnly}, false), nil, []string{"0 Success"}},
			{"starting", starting(0), []string{"0 Error ClientRestarted"}, []string{"0 Error InstanceRestarted"}},
			{"started", started(0), []string{"0 Error ClientRestarted"}, []string{"0 Error InstanceRestarted"}},
			{"ended", ended(0, success), []string{"0 Success"}, []string{"0 Success"}},
			{"forgotten", acked(0), nil, nil},
		},
		"NextRebootOnly, stopped": {
			{"held", scheduled(wire.Plan{Mode: orderly.NextRebootOnly}, true), []string{"0 Success"}, []string{"0 Success"}},
			{"stopped", tombstone, []string{"0 Cancelled"}, []string{"0 Cancelled"}},
		},
	}
	for name, life := range lives {
		for n, last := range life {
			for _, boot := range []string{"boot-1", "boot-2"} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, last.name, boot), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { crashAfter(t, life[:n+1], boot) })
				})
			}
		}
	}
}

// crashAfter writes the steps, starts an agent under a boot and looks what it does, twice: as it finds
// the journal, and as a compaction leaves it.
func crashAfter(t *testing.T, steps []step, boot string) {
	last := steps[len(steps)-1]
	want := last.crashed
	if boot != "boot-1" {
		want = last.booted
	}
	for _, compacted := range []bool{false, true} {
		f := newFake(t)
		j, err := OpenJournal(filepath.Join(f.dir, "journal"), f.boot)
		for _, s := range steps {
			if err == nil {
				err = s.write(j)
			}
		}
		if err == nil && compacted {
			err = j.Compact()
		}
		if err == nil {
			err = j.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		f.boot = boot
		f.start()
		f.sleep(61 * time.Second)
		f.expect(fmt.Sprintf("compacted %v:", compacted), want...)
		f.stop()
	}
}
