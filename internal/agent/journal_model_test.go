package agent_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderly-run/orderly/internal/agent"
)

// A model is what a journal must know, written down as simply as possible.
type model struct {
	tasks map[agent.Occurrence]known
	ends  []agent.Occurrence // in order
}

func (m *model) change(o agent.Occurrence, phase agent.Phase, change func(*known)) {
	k, ok := m.tasks[o]
	if !ok {
		k.Task.Key = o
	}
	if phase != agent.Unseen && phase <= k.Task.Phase {
		return
	}
	if phase != agent.Unseen {
		k.Task.Phase, k.Task.Rebooted = phase, false
	}
	change(&k)
	if phase == agent.Ended {
		k.Task.Scheduled, k.Task.Runs, k.Task.RanNow = false, 0, false
		m.ends = append(m.ends, o)
	}
	m.tasks[o] = k
	m.count(o, phase)
}

// count tells a schedule of its run.
func (m *model) count(o agent.Occurrence, phase agent.Phase) {
	whole := agent.Occurrence{TaskKey: o.TaskKey}
	s := m.tasks[whole]
	if o.Run == 0 || !s.Task.Scheduled || o.Run < s.Task.Runs {
		return
	}
	s.Task.Runs = o.Run
	s.Task.RanNow = s.Task.RanNow || phase != agent.Ended
	m.tasks[whole] = s
}

func (m *model) schedule(o agent.Occurrence, plan string) {
	m.change(o, agent.Got, func(*known) {})
	if k := m.tasks[o]; k.Task.Phase == agent.Got {
		k.Job, k.Task.Scheduled = plan, true
		m.tasks[o] = k
	}
}

func (m *model) acked(o agent.Occurrence) {
	if _, known := m.tasks[o]; !known {
		return
	}
	gone := func(k agent.Occurrence) bool { return k == o || o.Run == 0 && k.TaskKey == o.TaskKey }
	maps.DeleteFunc(m.tasks, func(k agent.Occurrence, _ known) bool { return gone(k) })
	m.ends = slices.DeleteFunc(m.ends, gone)
}

func (m *model) reboot() {
	for o, k := range m.tasks {
		k.Task.Rebooted = k.Task.Phase != agent.Unseen && k.Task.Phase != agent.Ended
		k.Task.RanNow = false
		m.tasks[o] = k
	}
}

func (m *model) spool() (n int64) {
	for _, k := range m.tasks {
		n += int64(len(k.Report))
	}
	return n
}

func (m *model) shrink(limit int64) {
	for _, key := range m.ends {
		if k := m.tasks[key]; m.spool() > limit && !k.Task.Stripped {
			k.Report, k.Task.Stripped = k.Report[:len(k.Report)/2], true
			m.tasks[key] = k
		}
	}
}

func TestJournalIsTheSameAfterReopening(t *testing.T) {
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		path := filepath.Join(dir, fmt.Sprint(round))
		boots := 1
		m := &model{tasks: map[agent.Occurrence]known{}}
		j := open(t, path, boot)
		defer func() { must(t, j.Close()) }()
		reopen := func() {
			must(t, j.Close())
			j = open(t, path, fmt.Sprintf("boot-%d", boots))
		}
		keys := rapid.Custom(func(t *rapid.T) agent.Occurrence {
			o := agent.Occurrence{Run: rapid.IntRange(0, 2).Draw(t, "run")}
			o.Invocation, o.Ordinal = rapid.Int64Range(-1, 2).Draw(t, "seq"), rapid.IntRange(0, 1).Draw(t, "ordinal")
			return o
		})
		texts := rapid.StringN(0, 20, -1)
		t.Repeat(map[string]func(*rapid.T){
			"got": func(t *rapid.T) {
				key, job := keys.Draw(t, "key"), texts.Draw(t, "job")
				must(t, j.Got(key, []byte(job)))
				m.change(key, agent.Got, func(k *known) { k.Job = job })
			},
			"scheduled": func(t *rapid.T) {
				o, plan := keys.Draw(t, "key"), texts.Draw(t, "plan")
				o.Run = 0
				must(t, j.Scheduled(o.TaskKey, []byte(plan)))
				m.schedule(o, plan)
			},
			"starting": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				must(t, j.Starting(key))
				m.change(key, agent.Starting, func(*known) {})
			},
			"started": func(t *rapid.T) {
				key, r := keys.Draw(t, "key"), run(rapid.IntRange(1, 1<<22).Draw(t, "pid"))
				must(t, j.Started(key, r))
				m.change(key, agent.Started, func(k *known) { k.Task.Process = r })
			},
			"ended": func(t *rapid.T) {
				key, report := keys.Draw(t, "key"), texts.Draw(t, "report")
				must(t, j.Ended(key, []byte(report)))
				m.change(key, agent.Ended, func(k *known) { k.Job, k.Task.Process, k.Report = "", agent.Process{}, report })
			},
			"tombstone": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				key.Run = 0
				must(t, j.Tombstone(key.TaskKey))
				m.change(key, agent.Unseen, func(k *known) { k.Task.Stopped = true })
			},
			"acked": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				must(t, j.Acked(key))
				m.acked(key)
			},
			"shrink": func(t *rapid.T) {
				limit := rapid.Int64Range(0, 60).Draw(t, "limit")
				_, err := j.Shrink(limit, func(b []byte) []byte { return b[:len(b)/2] })
				must(t, err)
				m.shrink(limit)
			},
			"compact": func(t *rapid.T) { must(t, j.Compact()) },
			"reopen":  func(*rapid.T) { reopen() },
			"reboot": func(*rapid.T) {
				boots++
				reopen()
				m.reboot()
			},
			"": func(t *rapid.T) { m.check(t, j) },
		})
	})
}

func (m *model) check(t *rapid.T, j *agent.Journal) {
	t.Helper()
	if diff := cmp.Diff(m.tasks, contents(t, j)); diff != "" {
		t.Fatalf("known (-want +got):\n%s", diff)
	}
	if got, want := j.Spool(), m.spool(); got != want {
		t.Fatalf("spool = %d, want %d", got, want)
	}
	var ends []agent.Occurrence
	for _, task := range j.Tasks() {
		if task.Phase == agent.Ended {
			ends = append(ends, task.Key)
		} else if len(ends) > 0 {
			t.Fatalf("task %v, which has not ended, comes after one that has", task.Key)
		}
	}
	if !slices.Equal(ends, m.ends) {
		t.Fatalf("order of ends = %v, want %v", ends, m.ends)
	}
}
