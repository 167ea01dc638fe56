package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

func TestInvocationsOfADayAreLimited(t *testing.T) {
	eachWith(t, engine.Config{DailyQuota: 3, Regions: []string{region, "cn-beijing"}}, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		command, err := h.CreateCommand(t.Context(), caller, orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript}, engine.Repetition{})
		must(t, err)
		run := func(q engine.Request, token string) error {
			_, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{Operation: "RunCommand", Token: token, Digest: []byte{1}})
			return err
		}
		made := func() int {
			return h.number(`select coalesce(max(made), 0) from daily_invocations where account = $1`, caller.Account)
		}
		if err := run(request("mi-1", "mi-9"), ""); !errors.Is(err, orderly.InstanceUnknown) || made() != 0 {
			t.Errorf("refused: %v, %d made; want InstanceUnknown, none", err, made())
		}
		must(t, run(request("mi-1", "mi-2"), "once")) // one, whatever its instances
		must(t, run(request("mi-1", "mi-2"), "once"))
		if made() != 1 {
			t.Errorf("%d made after a request and its repetition, want 1", made())
		}
		_, err = h.InvokeCommand(t.Context(), caller, invoke(command, "mi-1"), engine.Repetition{})
		must(t, err)
		must(t, run(request("mi-1"), ""))
		rows := func() int {
			return h.number(`select (select count(*) from invocations) + (select count(*) from tasks) + (select count(*) from commands) + (select count(*) from client_tokens)`)
		}
		before := rows()
		for _, q := range []engine.Request{request("mi-1"), request("mi-1", "mi-2")} {
			if err := run(q, "more"); !errors.Is(err, orderly.InvocationQuota) {
				t.Errorf("the fourth = %v, want InvocationQuota", err)
			}
		}
		if _, err := h.InvokeCommand(t.Context(), caller, invoke(command, "mi-1"), engine.Repetition{}); !errors.Is(err, orderly.InvocationQuota) || rows() != before {
			t.Errorf("InvokeCommand = %v with %d rows, want InvocationQuota with %d", err, rows(), before)
		}
		must(t, run(request("mi-1", "mi-2"), "once"))                                  // its answer is known
		if err := run(request("mi-9"), ""); !errors.Is(err, orderly.InstanceUnknown) { // ERR-1: the quota comes last
			t.Errorf("an unknown instance = %v, want InstanceUnknown", err)
		}
		h.raw(`update daily_invocations set day = day - 1`)
		must(t, run(request("mi-1"), "more")) // what was refused has not used up its token
	})
}

func TestLargeInvocationCountsOnce(t *testing.T) { // Q-1, TGT-7
	eachWith(t, engine.Config{DailyQuota: 1}, func(t *testing.T, h *house) {
		var ids []string
		for n := range 1001 {
			ids = append(ids, fmt.Sprintf("mi-%04d", n))
		}
		h.register(ids...)
		q := request()
		q.Target, q.MaxTags = all, 1
		h.start(q)
		if n := h.number(`select made from daily_invocations`); n != 1 {
			t.Errorf("%d made, want 1", n)
		}
		if _, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{}); !errors.Is(err, orderly.InvocationQuota) {
			t.Errorf("the second = %v, want InvocationQuota", err)
		}
	})
}

// However many make commands at once, no one keeps more than the quota allows.
func TestCommandQuotaHoldsForAllAtOnce(t *testing.T) {
	eachWith(t, engine.Config{CommandQuota: 5}, func(t *testing.T, h *house) {
		h.change(func(tx *store.Tx) error { return tx.AddAccount(caller.Account) })
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				_, err := h.CreateCommand(t.Context(), caller, orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript}, engine.Repetition{})
				if err != nil && !errors.Is(err, orderly.CommandQuota) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := h.number(`select count(*) from commands`); n != 5 {
			t.Errorf("%d commands, want 5", n)
		}
		h.register("mi-1")
		q := request("mi-9")
		q.KeepCommand = true
		if _, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{}); !errors.Is(err, orderly.InstanceUnknown) { // ERR-1
			t.Errorf("an unknown instance = %v, want InstanceUnknown", err)
		}
		q = request("mi-1")
		q.KeepCommand = true
		if _, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{}); !errors.Is(err, orderly.CommandQuota) || h.number(`select count(*) from invocations`) != 0 {
			t.Errorf("RunCommand with KeepCommand = %v, want CommandQuota and no invocation", err)
		}
	})
}

func TestCommandIsModifiedForLaterInvocations(t *testing.T) { // MOD-1, MOD-2
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		id, err := h.CreateCommand(t.Context(), caller, orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript, Content: []byte("x"), Launcher: "sh"}, engine.Repetition{})
		must(t, err)
		first, err := h.InvokeCommand(t.Context(), caller, invoke(id, "mi-1"), engine.Repetition{})
		must(t, err)
		name, launcher, limit := "new", "python3", 20*time.Second
		edit := orderly.CommandEdit{Name: &name, Launcher: &launcher, Timeout: &limit}
		for _, c := range []struct {
			region, id string
			by         orderly.Caller
			want       error
		}{{region, "c-x", caller, orderly.CommandUnknown}, {region, id, orderly.Caller{Account: "2"}, orderly.CommandUnknown}, {"x", id, caller, orderly.RegionUnknown}, {region, id, caller, nil}} {
			if err := h.ModifyCommand(t.Context(), c.by, c.region, c.id, edit); !errors.Is(err, c.want) {
				t.Errorf("ModifyCommand(%s, %s) = %v, want %v", c.region, c.id, err, c.want)
			}
		}
		second, err := h.InvokeCommand(t.Context(), caller, invoke(id, "mi-1"), engine.Repetition{})
		must(t, err)
		if c := h.invocation(first.InvokeID).Command; c.Name != "n" || c.Launcher != "sh" || c.Timeout != time.Minute {
			t.Errorf("the first has %+v, want what it was created with", c)
		}
		if c := h.invocation(second.InvokeID).Command; c.Name != "new" || c.Launcher != "python3" || c.Timeout != limit || string(c.Content) != "x" {
			t.Errorf("the second has %+v, want what was changed", c)
		}
	})
}
