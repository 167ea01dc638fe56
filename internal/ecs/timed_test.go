package ecs_test

import (
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// scheduled stores an invocation that repeats, as a server that offers schedules leaves it.
func (h *house) scheduled(instance string, states ...orderly.State) (id string) {
	h.t.Helper()
	seq := h.db.NextSeq()
	v := orderly.Invocation{
		Seq: seq, ID: orderly.NewID(orderly.InvocationPrefix, region, seq), Account: account, Region: region,
		Command: orderly.Command{ID: "c-1", Name: "tidy", Type: orderly.RunShellScript, Content: []byte("true")}, Repeat: orderly.Period,
		Frequency: "rate(5m)", Termination: orderly.KillProcess, Size: len(states), Created: h.db.Now(),
	}
	var tasks []orderly.Task
	var counts orderly.Counts
	for i, s := range states {
		t := orderly.NewTask(&v, i, instance, v.Created)
		t.State = s
		tasks, counts = append(tasks, t), counts.Add(orderly.Count(s, false))
	}
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		if err := tx.AddInvocation(v); err != nil {
			return err
		}
		if err := tx.AddTasks(tasks); err != nil {
			return err
		}
		return tx.Built(v.Seq, counts, v.Repeat, v.Created)
	}))
	return v.ID
}

// DI-3 to DI-6, LG-2: what repeats is hidden by default, and found by whoever asks for it.
func TestTimedInvocations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		once := call[run](h, "RunCommand", script(machine)).InvokeId
		over, live := h.scheduled(machine, orderly.Success), h.scheduled(machine, orderly.Scheduled)
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"DI-4 default", nil, []string{over, once}},
			{"DI-4 default", values{"CommandName": "tidy"}, []string{over}},
			{"DI-4 default", values{"CommandId": "c-1"}, []string{over}},
			{"DI-3", values{"Timed": "true"}, []string{live}},
			{"DI-3", values{"Timed": "false"}, []string{over, once}},
			{"DI-3", values{"Timed": "false", "RepeatMode": "Period"}, []string{over}},
			{"DI-4", values{"InvokeId": live}, []string{live}},
			{"DI-4", values{"InstanceId": machine}, []string{live, over, once}},
			{"DI-4", values{"InvokeStatus": "Scheduled"}, []string{live}},
			{"DI-4", values{"RepeatMode": "Period"}, []string{live, over}},
			{"DI-6, LG-2", values{"InvokeStatus": "Running"}, []string{live, over, once}},
			{"DI-6", values{"InvokeStatus": "Success"}, []string{over}},
			{"DI-6, LG-2 of the instance", values{"InvokeStatus": "Finished", "InstanceId": machine}, nil},
		} {
			if got := call[invocations](h, "DescribeInvocations", c.filter); !slices.Equal(got.ids(), c.want) {
				t.Errorf("%s %v: %v, want %v", c.rule, c.filter, got.ids(), c.want)
			}
		}
		for id, timed := range map[string]bool{once: false, over: false, live: true} { // DI-5
			v := h.only(values{"InvokeId": id})
			if row := v.InvokeInstances.InvokeInstance[0]; v.Timed != timed || row.Timed != timed {
				t.Errorf("%s (%s): Timed %v and %v, want %v", id, v.InvocationStatus, v.Timed, row.Timed, timed)
			}
		}
		if v := h.only(values{"InvokeId": over}); v.InvocationStatus != "Success" || v.InvokeStatus != "Running" || v.InvokeInstances.InvokeInstance[0].InstanceInvokeStatus != "Running" {
			t.Errorf("LG-2: %+v", v)
		}
		if rows := call[results](h, "DescribeInvocationResults", values{"InstanceId": machine}).ids(); len(rows) != 3 { // DR-5
			t.Errorf("DR-5: %v", rows)
		}
	})
}
