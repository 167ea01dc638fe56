package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// aFile is a request that is fine.
func aFile(ids ...string) engine.FileRequest {
	return engine.FileRequest{
		Region: region, Instances: ids, Timeout: 90 * time.Second, Tags: []orderly.Tag{{Key: "ticket", Value: "42"}},
		File: orderly.File{
			Name: "app.conf", Content: "YSA9IDEK\n", Base64: true, Description: "its settings", Dir: "/etc/app",
			Owner: "app", Group: "adm", Mode: "0640", Overwrite: true,
		},
	}
}

// send sends a file and returns its invocation's ID.
func (h *house) send(f engine.FileRequest) string {
	h.t.Helper()
	id, err := h.SendFile(h.t.Context(), caller, f, engine.Repetition{Operation: "SendFile"})
	must(h.t, err)
	return id
}

// files lists what was sent, newest first.
func (h *house) files(f store.InvocationFilter) []orderly.Invocation {
	h.t.Helper()
	f.Region = region
	list, total, err := h.Files(context.Background(), caller, f, store.Page{Limit: 1000})
	must(h.t, err)
	if total != len(list) {
		h.t.Errorf("%d of %d files", len(list), total)
	}
	return list
}

// share is the task of a file that was sent to one instance.
func (h *house) share(id string) orderly.Task {
	h.t.Helper()
	list := h.files(store.InvocationFilter{ID: id})
	if len(list) != 1 {
		h.t.Fatalf("file %s is not shown", id)
	}
	tasks, err := h.TasksOf(context.Background(), list, "", true)
	must(h.t, err)
	return tasks[list[0].Seq][0]
}

// awaitFile waits until the task of a file has ended and checks how.
func (h *house) awaitFile(id string, s orderly.State, code orderly.ErrorCode) {
	h.t.Helper()
	h.await("end of "+id, func() bool { return !h.share(id).State.Live() })
	if k := h.share(id); k.State != s || k.ErrorCode != code {
		h.t.Errorf("file is %s %q, want %s %q", k.State, k.ErrorCode, s, code)
	}
}

// SF-1: a file is stored as it was sent, and handed over with all of it, at once and again.
func TestFilesAreKeptAsTheyWereSent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		want := aFile("mi-1").File
		id := h.send(aFile("mi-1"))
		v := h.files(store.InvocationFilter{CommandName: "app.conf"})[0]
		if !strings.HasPrefix(id, "f-") || v.ID != id || v.Command.Name != "" || v.Command.Timeout != 90*time.Second || v.Repeat != orderly.Once {
			t.Errorf("%s is kept as %+v", id, v)
		}
		if diff := cmp.Diff(&want, v.File); diff != "" {
			t.Errorf("the file that is shown (-want +got):\n%s", diff)
		}
		if sent := h.messages(engine.SendRun); len(sent) != 1 || sent[0].Allowed != time.Minute {
			t.Fatalf("%+v was sent", sent)
		} else if diff := cmp.Diff(&want, sent[0].Of.File); diff != "" {
			t.Errorf("the file that is sent (-want +got):\n%s", diff)
		}
		h.connect(boot, "mi-1") // which knows of nothing: the message was lost
		if sent := h.messages(engine.SendRun); len(sent) != 2 {
			t.Fatalf("%d messages, want the second", len(sent))
		} else if diff := cmp.Diff(&want, sent[1].Of.File); diff != "" {
			t.Errorf("the file that is sent again (-want +got):\n%s", diff)
		}
	})
}

// SF-5, KEEP-1, Q-1: whoever asks for commands and their invocations learns nothing of files, and files take
// none of their quotas.
func TestFilesStandApart(t *testing.T) {
	cfg := engine.Config{CommandQuota: 1, DailyQuota: 1}
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		ids := []string{h.send(aFile("mi-1")), h.send(aFile("mi-1"))}
		if got := h.ids(); len(got) != 0 {
			t.Errorf("files are among the invocations: %v", got)
		}
		if got := h.tasks(ids[0]); len(got) != 0 {
			t.Errorf("a file has results: %+v", got)
		}
		if n := h.number(`select count(*) from commands`); n != 0 {
			t.Errorf("%d commands were stored with files", n)
		}
		if err := h.StopInvocation(t.Context(), caller, region, ids[0], nil); !errors.Is(err, orderly.InvocationUnknown) {
			t.Errorf("StopInvocation of a file: %v", err)
		}
		swas := caller
		swas.Realm = "swas"
		if err := h.StopInvocation(t.Context(), swas, region, ids[0], nil); !errors.Is(err, orderly.InvocationUnknown) {
			t.Errorf("StopInvocation of a file in the other realm: %v", err)
		}
		if k := h.share(ids[0]); k.State != orderly.Pending || !k.Stopped.IsZero() {
			t.Errorf("it was stopped: %+v", k)
		}
		kept := request("mi-1")
		kept.KeepCommand = true
		h.start(kept) // there is still a place for one, and an invocation of the day
		if got := h.files(store.InvocationFilter{}); len(got) != 2 {
			t.Errorf("%d files, want 2", len(got))
		}
	})
}

// HND-4, REP-1, LATE-2: the promises about tasks hold for files: repetition changes nothing, an agent that lost its
// journal makes the outcome unknown, and what it says later is kept beside it.
func TestFilesAreTasksLikeAnyOther(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		done := h.send(aFile("mi-1"))
		k := h.share(done)
		end := report(k, 1<<31, orderly.Success)
		end.ExitCode, end.Output, end.Total = nil, nil, 0
		h.tell(report(k, 2, orderly.Running))
		if got := h.share(done); got.State != orderly.Running {
			t.Errorf("it is %s, want Running", got.State)
		}
		h.tell(end, end)
		h.tell(report(k, 1<<31, orderly.Failed))
		if got := h.share(done); got.State != orderly.Success || got.Finished.IsZero() || got.ExitCode != nil {
			t.Errorf("it is %+v, want Success", got)
		}

		lost := h.send(aFile("mi-1"))
		k = h.share(lost)
		h.disconnect(boot, "mi-1")
		h.connect(orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}, "mi-1")
		h.awaitFile(lost, orderly.Error, orderly.ClientRestarted)
		late := report(k, 1<<31, orderly.Success)
		h.tell(late)
		h.awaitFile(lost, orderly.Error, orderly.ClientRestarted)
		of := caller
		of.Realm = orderly.FileRealm
		list, _, err := h.LateResults(t.Context(), of, store.LateFilter{Region: region, InvokeID: lost}, store.Page{Limit: 10})
		if must(t, err); len(list) != 1 || list[0].State != orderly.Success {
			t.Errorf("late results: %+v", list)
		}
	})
}

// SF-2, AB-1, T4, TO-1: deadlines end files too, each in its own way.
func TestFilesHaveDeadlines(t *testing.T) {
	eachWith(t, hurried(500), func(t *testing.T, h *house) {
		h.register("mi-1", "mi-2", "mi-3")
		h.connect(boot, "mi-2", "mi-3")
		away := h.send(aFile("mi-1")) // heard of when it registered
		mute := h.send(aFile("mi-2"))
		f := aFile("mi-3")
		f.Timeout = 50 * time.Millisecond
		slow := h.send(f)
		h.tell(report(h.share(slow), 2, orderly.Running))
		h.run()
		h.awaitFile(slow, orderly.Timeout, orderly.ExecutionTimeout)
		h.awaitFile(away, orderly.Aborted, orderly.ClientNotRunning)
		h.awaitFile(mute, orderly.Error, orderly.ExecutionInterrupted)
		if len(h.messages(engine.SendExpire)) == 0 {
			t.Error("nobody was asked whether the file was written")
		}
	})
}

// RET-1, semantics 6.6: files are kept for a day, and a thousand of them, whatever is kept of commands.
func TestFilesAreKeptForLess(t *testing.T) {
	cfg := fast(1)
	cfg.FileRecords = 2
	eachWith(t, cfg, func(t *testing.T, h *house) {
		h.register("mi-1")
		h.connect(boot, "mi-1")
		sent := func(ago time.Duration) string {
			id := h.send(aFile("mi-1"))
			h.tell(report(h.share(id), 9, orderly.Success))
			h.raw(`update invocations set finished = $1 where id = $2`, h.db.Now().Add(-ago).UnixMilli(), id)
			return id
		}
		command := []string{h.over(50*time.Hour, request("mi-1")), h.over(49*time.Hour, request("mi-1")), h.over(time.Hour, request("mi-1"))}
		old := sent(25 * time.Hour)
		second, third, first := sent(22*time.Hour), sent(23*time.Hour), sent(time.Hour)
		h.run()
		h.await("records are dropped", func() bool { return h.number(`select count(*) from invocations`) <= 5 })
		var left []string
		for _, v := range h.files(store.InvocationFilter{}) {
			left = append(left, v.ID)
		}
		if want := []string{first, second}; !slices.Equal(left, want) {
			t.Errorf("left: %v, want %v; not %s and %s", left, want, old, third)
		}
		if got := h.ids(); len(got) != len(command) {
			t.Errorf("%d invocations are left, want %d", len(got), len(command))
		}
	})
}

// TOK-1: a repetition gets the first answer, and another file with the same token none.
func TestFilesAreSentOnceForAToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		once := engine.Repetition{Operation: "SendFile", Token: "once", Digest: []byte("a")}
		first, err := h.SendFile(t.Context(), caller, aFile("mi-1"), once)
		must(t, err)
		again, err := h.SendFile(t.Context(), caller, aFile("mi-1"), once)
		if err != nil || again != first {
			t.Errorf("again: %s, %v, want %s", again, err, first)
		}
		once.Digest = []byte("b")
		if _, err := h.SendFile(t.Context(), caller, aFile("mi-1"), once); !errors.Is(err, orderly.ClientTokenMismatch) {
			t.Errorf("another file: %v", err)
		}
		if n := len(h.files(store.InvocationFilter{})); n != 1 {
			t.Errorf("%d files, want 1", n)
		}
	})
}

// SF-1, TGT-1, TGT-2: what is refused leaves nothing behind.
func TestFilesThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.register("mi-1")
		for want, change := range map[orderly.Reason]func(*engine.FileRequest){
			orderly.RegionUnknown:        func(f *engine.FileRequest) { f.Region = "mars" },
			orderly.TimeoutTooLong:       func(f *engine.FileRequest) { f.Timeout = 25 * time.Hour },
			orderly.FileModeInvalid:      func(f *engine.FileRequest) { f.File.Mode = "9" },
			orderly.TargetMissing:        func(f *engine.FileRequest) { f.Instances = nil },
			orderly.TargetsTooMany:       func(f *engine.FileRequest) { f.Instances = names(51) },
			orderly.InstanceUnknown:      func(f *engine.FileRequest) { f.Instances = []string{"mi-1", "mi-0"} },
			orderly.ResourceGroupUnknown: func(f *engine.FileRequest) { f.ResourceGroup = "group" },
			orderly.TagKeyMissing:        func(f *engine.FileRequest) { f.Tags = []orderly.Tag{{Value: "v"}} },
		} {
			f := aFile("mi-1")
			change(&f)
			if _, err := h.SendFile(t.Context(), caller, f, engine.Repetition{}); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		if n := h.number(`select count(*) from invocations`) + h.number(`select count(*) from tasks`) + h.number(`select count(*) from tags`); n != 0 {
			t.Errorf("%d rows were stored", n)
		}
	})
}
