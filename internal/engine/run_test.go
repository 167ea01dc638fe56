package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

func TestBadRequestIsRefusedAndLeavesNothing(t *testing.T) {
	eachWith(t, engine.Config{MaxTargets: 3, MaxAll: 3}, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3", "mi-4")
		h.registerAs(orderly.Windows, "mi-w")
		h.change(func(tx *store.Tx) error {
			return tx.AddInstance(orderly.Instance{Seq: h.db.NextSeq(), ID: "mi-foreign", Account: "2", Region: region, PublicKey: "f", OS: orderly.Linux})
		})
		long, negative := 604801*time.Second, 9*time.Second
		for name, c := range map[string]struct {
			edit func(*engine.Request)
			want orderly.Reason
		}{
			"TGT-1 none":          {func(q *engine.Request) { q.Target = orderly.Target{} }, orderly.TargetMissing},
			"TGT-1 too many":      {func(q *engine.Request) { q.Target.Instances = []string{"1", "2", "3", "4"} }, orderly.TargetsTooMany},
			"TGT-2 unknown":       {func(q *engine.Request) { q.Target.Instances = []string{"mi-1", "mi-9"} }, orderly.InstanceUnknown},
			"TGT-2 foreign":       {func(q *engine.Request) { q.Target.Instances = []string{"mi-foreign"} }, orderly.InstanceUnknown},
			"TGT-3 both":          {func(q *engine.Request) { q.Target.Tags = all.Tags }, orderly.TargetTagsConflict},
			"TGT-3 nothing found": {func(q *engine.Request) { q.Target = orderly.Target{Tags: []orderly.Tag{{Key: "x"}}} }, orderly.TargetTagsMatchNothing},
			"TGT-7 too many":      {func(q *engine.Request) { q.Target = all }, orderly.TargetsTooMany},
			"TGT-7 with a value": {func(q *engine.Request) {
				q.Target.Instances, q.Target.Tags = nil, []orderly.Tag{{Key: orderly.AllTag, Value: "x"}}
			}, orderly.TargetTagsMatchNothing},
			"TGT-5":               {func(q *engine.Request) { q.Tags = []orderly.Tag{{Key: "acs:x"}} }, orderly.TagKeyMalformed},
			"CMD-1":               {func(q *engine.Request) { q.Command.Type = "x" }, orderly.CommandTypeUnknown},
			"CMD-2":               {func(q *engine.Request) { q.Target.Instances = []string{"mi-1", "mi-w"} }, orderly.InstanceMismatch},
			"CMD-5":               {func(q *engine.Request) { q.Command.Timeout = 86401 * time.Second }, orderly.TimeoutTooLong},
			"SZ-1":                {func(q *engine.Request) { q.Command.Content = make([]byte, 18433) }, orderly.ContentTooLong},
			"PAR-5":               {func(q *engine.Request) { q.Parameters = `{"a":"b"}` }, orderly.ParametersDisabled},
			"PAR-3":               {func(q *engine.Request) { q.Command.EnableParameter, q.Parameters = true, `{"a":"b"}` }, orderly.ParameterUnknown},
			"SZ-2":                {func(q *engine.Request) { enlarge(q) }, orderly.ContentTooLong},
			"TERM-1":              {func(q *engine.Request) { q.Termination = "x" }, orderly.TerminationModeUnknown},
			"RM-1":                {func(q *engine.Request) { q.Repeat = "x" }, orderly.RepeatModeUnknown},
			"RM-2":                {func(q *engine.Request) { q.Repeat = orderly.Period }, orderly.FrequencyMissing},
			"RM-1, whatever else": {func(q *engine.Request) { q.Repeat, q.Frequency = "x", "rate(1h)" }, orderly.RepeatModeUnknown},
			"EX-1, no unit":       {func(q *engine.Request) { q.Frequency = "rate(60)" }, orderly.FrequencyInvalid},
			"EX-1, too short":     {func(q *engine.Request) { q.Frequency = "rate(59s)" }, orderly.FrequencyInvalid},
			"EX-1, too long":      {func(q *engine.Request) { q.Frequency = "rate(8d)" }, orderly.FrequencyInvalid},
			"EX-1, timeout": {func(q *engine.Request) {
				q.Frequency, q.Command.Timeout = "rate(60s)", time.Minute
			}, orderly.FrequencyInvalid},
			"EX-5":             {func(q *engine.Request) { q.Frequency = "* * *" }, orderly.FrequencyInvalid},
			"EX-9":             {func(q *engine.Request) { q.Frequency = "at(2026-01-01 00:00:00 No/Where)" }, orderly.FrequencyInvalid},
			"EX-10, 10 s":      {func(q *engine.Request) { q.Frequency, q.Command.Timeout = "*/5 * * * * ?", 10*time.Second }, orderly.FrequencyInvalid},
			"EX-10, timeout":   {func(q *engine.Request) { q.Frequency, q.Command.Timeout = "0 * * * * ?", 61*time.Second }, orderly.FrequencyInvalid},
			"RM-5, frequency":  {func(q *engine.Request) { q.Repeat, q.Frequency = orderly.DryRun, "rate(1s)" }, orderly.FrequencyInvalid},
			"DLV-1 too long":   {func(q *engine.Request) { q.Delivery = &long }, orderly.DeliveryTimeoutInvalid},
			"DLV-1 too short":  {func(q *engine.Request) { q.Delivery = &negative }, orderly.DeliveryTimeoutInvalid},
			"region":           {func(q *engine.Request) { q.Region = "nowhere" }, orderly.RegionUnknown},
			"CMD-3, directory": {func(q *engine.Request) { q.Command.WorkingDir = strings.Repeat("x", 201) }, orderly.WorkingDirInvalid},
			"CT-1, ID":         {func(q *engine.Request) { q.ContainerID = "1" }, orderly.ContainerIDMalformed},
			"CT-1, name":       {func(q *engine.Request) { q.ContainerName = "-" }, orderly.ContainerNameMalformed},
			"CT-2": {func(q *engine.Request) {
				q.Target.Instances, q.Command.Type, q.ContainerName = []string{"mi-w"}, orderly.RunBatScript, "web"
			}, orderly.InstanceMismatch},
			"CMD-3, user": {func(q *engine.Request) { q.Username = strings.Repeat("u", 256) }, orderly.UsernameTooLong},
		} {
			q := request("mi-1")
			c.edit(&q)
			_, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{Operation: "RunCommand", Token: "token"})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: RunCommand = %v, want %v", name, err, c.want)
			}
		}
		if n := h.number(`select (select count(*) from invocations) + (select count(*) from tasks) + (select count(*) from commands) + (select count(*) from client_tokens)`); n != 0 {
			t.Errorf("%d rows were left behind", n)
		}
		h.start(request("mi-1")) // TOK-2: a refused request does not use up its token
		if _, err := h.RunCommand(t.Context(), caller, request("mi-1"), engine.Repetition{Operation: "RunCommand", Token: "token"}); err != nil {
			t.Errorf("the token of refused requests = %v, want that it is free", err)
		}
	})
}

// enlarge makes a content that is too long only with its parameters in.
func enlarge(q *engine.Request) {
	q.Command.EnableParameter = true
	q.Command.Content = []byte(strings.Repeat("{{a}}", 3000))
	q.Parameters = `{"a":"seven b"}`
}

func TestTargetsAreFrozenInTheOrderAskedFor(t *testing.T) { // TGT-2, PG-1
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3")
		h.connect(boot, "mi-1", "mi-2", "mi-3")
		id := h.start(request("mi-3", "mi-1", "mi-3", "mi-2", "mi-1"))
		var got []string
		for _, k := range h.tasks(id) {
			got = append(got, k.Instance)
		}
		if want := []string{"mi-3", "mi-1", "mi-2"}; !slices.Equal(got, want) {
			t.Errorf("targets = %v, want %v", got, want)
		}
		if v := h.invocation(id); v.Size != 3 || v.CallerKey != caller.KeyID || v.SourceIP != caller.SourceIP || v.Status() != orderly.StatusPending {
			t.Errorf("invocation = %+v, want 3 tasks and its caller", v)
		}
	})
}

// HND-1: whom a task is handed to is in the database before the message leaves.
func TestHandedIsDurableBeforeSend(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.connect(boot, "mi-1")
		sends := 0
		h.onSend = func(list []engine.Message) {
			for _, m := range list {
				sends++
				n := h.number(`select count(*) from tasks where invocation = $1 and ordinal = $2 and incarnation = $3 and boot = $4`, m.Task.Invocation, m.Task.Ordinal, boot.Incarnation, boot.ID)
				if n != 1 || m.Boot != boot || m.Allowed <= 0 || m.Of.Command.Content == nil {
					t.Errorf("sent %+v, of which %d rows are handed; want 1", m, n)
				}
			}
		}
		id := h.start(request("mi-1", "mi-2"))
		h.connect(boot, "mi-2")
		if sends != 2 {
			t.Errorf("%d messages, want 2", sends)
		}
		for _, k := range h.tasks(id) {
			if k.Handed != boot || k.State != orderly.Pending {
				t.Errorf("task = %+v, want Pending and handed", k)
			}
		}
	})
}

func TestAwayInstanceIsAbortedUnlessWaitedFor(t *testing.T) { // T3, DLV-1, TGT-6
	eachWith(t, engine.Config{Limits: orderly.DefaultLimits.Scale(1000)}, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.raw(`update presence set heartbeat = $1`, h.db.Now().Add(-time.Hour).UnixMilli())
		id := h.start(request("mi-1"))
		k := h.expect(id, orderly.Aborted, orderly.InstanceNotRunning)
		if v := h.invocation(id); k.Finished.IsZero() || v.Status() != orderly.StatusFailed || v.Finished.IsZero() {
			t.Errorf("task %+v of %+v, want both finished", k, v)
		}
		wait := time.Hour
		q := request("mi-1")
		q.Delivery = &wait
		id = h.start(q)
		h.expect(id, orderly.Pending, "")
		h.connect(boot, "mi-1")
		if m := h.messages(engine.SendRun); len(m) != 1 || m[0].Allowed > wait || m[0].Allowed < wait-time.Minute {
			t.Errorf("messages = %+v, want one with about an hour's allowance", m)
		}
	})
}

func TestUnkeptCommandGoesWithItsInvocation(t *testing.T) { // KEEP-1, DEL-2
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		count := func() int { return h.number(`select count(*) from commands`) }
		id := h.start(request("mi-1"))
		list, total, err := h.Commands(t.Context(), caller, store.CommandFilter{Region: region}, store.Page{Limit: 10})
		must(t, err)
		if len(list)+total != 0 || count() != 1 {
			t.Errorf("%d commands listed of %d, want 0 of 1", len(list), count())
		}
		v := h.invocation(id)
		if _, err := h.InvokeCommand(t.Context(), caller, invoke(v.Command.ID, "mi-1"), engine.Repetition{}); !errors.Is(err, orderly.CommandUnknown) {
			t.Errorf("InvokeCommand of it = %v, want CommandUnknown", err)
		}
		if err := h.DeleteCommand(t.Context(), caller, region, v.Command.ID); !errors.Is(err, orderly.CommandUnknown) {
			t.Errorf("DeleteCommand of it = %v, want CommandUnknown", err)
		}
		h.tell(report(h.task(id), 1, orderly.Success))
		if count() != 0 {
			t.Error("the command is still there after the end")
		}
		if v = h.invocation(id); string(v.Command.Content) != "true" || v.Command.ID == "" {
			t.Errorf("invocation = %+v, want its command's ID and content", v)
		}
		q := request("mi-1")
		q.KeepCommand = true
		id = h.start(q)
		h.tell(report(h.task(id), 1, orderly.Success))
		if count() != 1 {
			t.Error("a command to keep is gone")
		}
	})
}

func invoke(command string, ids ...string) engine.Request {
	q := request(ids...)
	q.Command = orderly.Command{ID: command}
	return q
}

func TestCommandInUseCannotBeDeleted(t *testing.T) { // DEL-1, DEL-2, DC-2, CMD-6, MOD-2
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		id, err := h.CreateCommand(t.Context(), caller, orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript, Content: []byte("x"), Timeout: 20 * time.Second}, engine.Repetition{})
		must(t, err)
		q := invoke(id, "mi-1")
		q.Command.Timeout, q.Command.WorkingDir = 5*time.Second, "/other" // raised to 10 s
		a, err := h.InvokeCommand(t.Context(), caller, q, engine.Repetition{})
		must(t, err)
		if err := h.DeleteCommand(t.Context(), caller, region, id); !errors.Is(err, orderly.CommandInUse) {
			t.Errorf("DeleteCommand while it runs = %v, want CommandInUse", err)
		}
		list, _, err := h.Commands(t.Context(), caller, store.CommandFilter{Region: region, ID: id}, store.Page{Limit: 1})
		must(t, err)
		if c := list[0]; c.InvokeTimes != 1 || c.Timeout != 20*time.Second || c.WorkingDir != "" {
			t.Errorf("command = %+v, want it unchanged and used once", c)
		}
		h.tell(report(h.task(a.InvokeID), 1, orderly.Success))
		for _, c := range []struct {
			region, id string
			by         orderly.Caller
			want       error
		}{{region, "c-x", caller, orderly.CommandUnknown}, {region, id, orderly.Caller{Account: "2"}, orderly.CommandUnknown}, {"x", id, caller, orderly.RegionUnknown}, {region, id, caller, nil}} {
			if err := h.DeleteCommand(t.Context(), c.by, c.region, c.id); !errors.Is(err, c.want) {
				t.Errorf("DeleteCommand(%s, %s) = %v, want %v", c.region, c.id, err, c.want)
			}
		}
		if v := h.invocation(a.InvokeID); v.Command.ID != id || v.Command.Timeout != 10*time.Second || v.Command.WorkingDir != "/other" {
			t.Errorf("invocation = %+v, want what it was created with", v.Command)
		}
		if _, err := h.InvokeCommand(t.Context(), caller, invoke(id, "mi-1"), engine.Repetition{}); !errors.Is(err, orderly.CommandUnknown) {
			t.Errorf("InvokeCommand of a deleted command = %v, want CommandUnknown", err)
		}
	})
}

func TestCommandQuotaHolds(t *testing.T) {
	eachWith(t, engine.Config{CommandQuota: 2}, func(t *testing.T, h *house) {
		h.register("mi-1")
		create := func() error {
			_, err := h.CreateCommand(t.Context(), caller, orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript}, engine.Repetition{})
			return err
		}
		must(t, create())
		q := request("mi-1")
		q.KeepCommand = true
		h.start(q)
		if err := create(); !errors.Is(err, orderly.CommandQuota) {
			t.Errorf("third command = %v, want CommandQuota", err)
		}
		if _, err := h.RunCommand(t.Context(), caller, q, engine.Repetition{}); !errors.Is(err, orderly.CommandQuota) {
			t.Errorf("RunCommand with KeepCommand = %v, want CommandQuota", err)
		}
		h.start(request("mi-1"))
	})
}

func TestParametersArriveAsGiven(t *testing.T) { // PAR-1, PAR-4, EN-5, ENV-1
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2")
		h.connect(boot, "mi-1")
		q := request("mi-1", "mi-2")
		q.Command.EnableParameter, q.Command.Content, q.Parameters = true, []byte("echo {{a}} {{ACS::InstanceName}}"), `{"A":"1"}`
		id := h.start(q)
		h.connect(boot, "mi-2")
		h.connect(boot, "mi-1") // it asks again: the name comes along then too
		if v := h.invocation(id); v.Parameters["A"] != "1" || string(v.Command.Content) != string(q.Command.Content) {
			t.Errorf("invocation = %+v, want its parameters beside the content", v)
		}
		sent := h.messages(engine.SendRun)
		for _, m := range sent {
			if m.Name != "name-"+m.Instance || m.Of.Parameters["A"] != "1" {
				t.Errorf("message to %s has the name %q and %v", m.Instance, m.Name, m.Of.Parameters)
			}
		}
		if len(sent) != 3 {
			t.Errorf("%d messages, want 3", len(sent))
		}
	})
}

func TestRepetitionGetsTheFirstAnswer(t *testing.T) { // TOK-1, TOK-2
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		run := func(r engine.Repetition) (engine.Answer, error) {
			return h.RunCommand(t.Context(), caller, request("mi-1"), r)
		}
		r := engine.Repetition{Operation: "RunCommand", Token: "token", Digest: []byte{1}}
		first, err := run(r)
		must(t, err)
		if again, err := run(r); err != nil || again != first {
			t.Errorf("repetition = %+v, %v; want %+v", again, err, first)
		}
		other := r
		other.Digest = []byte{2}
		if _, err := run(other); !errors.Is(err, orderly.ClientTokenMismatch) {
			t.Errorf("other parameters = %v, want ClientTokenMismatch", err)
		}
		for _, token := range []string{strings.Repeat("x", 65), "ü", "a\n"} {
			if _, err := run(engine.Repetition{Token: token}); !errors.Is(err, orderly.ClientTokenMalformed) {
				t.Errorf("token %q = %v, want ClientTokenMalformed", token, err)
			}
		}
		command := orderly.Command{Region: region, Name: "n", Type: orderly.RunShellScript}
		one, err := h.CreateCommand(t.Context(), caller, command, engine.Repetition{Operation: "CreateCommand", Token: "token"})
		must(t, err)
		two, err := h.CreateCommand(t.Context(), caller, command, engine.Repetition{Operation: "CreateCommand", Token: "token"})
		if err != nil || one != two {
			t.Errorf("CreateCommand again = %s, %v; want %s", two, err, one)
		}
		if n := len(h.messages(engine.SendRun)); n != 1 || h.number(`select count(*) from invocations`) != 1 {
			t.Errorf("%d messages and %d invocations, want 1 of each", n, h.number(`select count(*) from invocations`))
		}
	})
}

func TestConcurrentDuplicatesMakeOneInvocation(t *testing.T) { // TOK-1
	each(t, func(t *testing.T, h *house) {
		h.register(names(1200)...)
		h.connect(boot, names(1200)...)
		for round, q := range []engine.Request{request("mi-0001"), toAll()} {
			r := engine.Repetition{Operation: "RunCommand", Token: "token" + string(rune('a'+round)), Digest: []byte{1}}
			var wg sync.WaitGroup
			var mu sync.Mutex
			answers := map[engine.Answer]int{}
			for range 8 {
				wg.Go(func() {
					a, err := h.RunCommand(context.Background(), caller, q, r)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						answers[a]++
					} else if !errors.Is(err, orderly.ClientTokenInWork) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := h.number(`select count(*) from invocations`); n != round+1 || len(answers) != 1 {
				t.Errorf("%d invocations, %d answers; want %d, 1", n, len(answers), round+1)
			}
		}
	})
}
