package ecs_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// aFile is a SendFile that is right, to {linux}.
var aFile = values{"Name": "app.conf", "TargetDir": "/etc/app", "Content": "a = 1", "InstanceId.1": "{linux}"}

// file is a SendFile to some instances.
func file(ids ...string) values {
	v := aFile.with()
	for i, id := range ids {
		v[fmt.Sprintf("InstanceId.%d", i+1)] = id
	}
	return v
}

// sent is an answer of DescribeSendFileResults.
type sent struct {
	page
	Invocations struct{ Invocation []sentFile }
}

type sentFile struct {
	InvokeId, Name, Description, TargetDir, Content, ContentType string
	FileOwner, FileGroup, FileMode, Overwrite, InvocationStatus  string
	VmCount                                                      int
	CreationTime                                                 string
	InvokeInstances                                              struct{ InvokeInstance []task }
}

func (s sent) ids() (list []string) {
	for _, f := range s.Invocations.Invocation {
		list = append(list, f.InvokeId)
	}
	return list
}

// sentTo sends a file and ends it on each of its instances.
func (h *house) sentTo(v values, ended map[string]orderly.Report) string {
	h.t.Helper()
	id := call[run](h, "SendFile", v).InvokeId
	for instance, r := range ended {
		h.report(instance, r)
	}
	return id
}

// sentFile is how one is shown.
func (h *house) sentFile(invoke string) sentFile {
	h.t.Helper()
	r := call[sent](h, "DescribeSendFileResults", values{"InvokeId": invoke})
	if len(r.Invocations.Invocation) != 1 {
		h.t.Fatalf("%s found %v", invoke, r.ids())
	}
	return r.Invocations.Invocation[0]
}

// handed is the invocation in the newest message to an instance.
func (h *house) handed(instance string) *orderly.Invocation {
	h.t.Helper()
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	for _, m := range slices.Backward(h.wire.sent) {
		if m.Instance == instance && m.Of != nil {
			return m.Of
		}
	}
	h.t.Fatalf("nothing was sent to %s", instance)
	return nil
}

// placed is a report that a file's task ended so.
func placed(h *house, state orderly.State, code orderly.ErrorCode) orderly.Report {
	r := orderly.Report{Number: 9, State: state, ErrorCode: code, Finished: h.db.Now()}
	if state != orderly.Invalid {
		r.Started = r.Finished
	}
	return r
}

// SF-1, SF-4, TM-3: both operations, field by field, in both formats.
func TestAnswersOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		asked := file(first, second).with("Content", "YSA9IDEK", "ContentType", "Base64", "Description", "its <settings>", "FileOwner", "app", "FileGroup", "adm",
			"FileMode", "0640", "Overwrite", "true", "Timeout", "30", "ResourceGroupId", "rg-machines", "Tag.1.Key", "ticket", "Tag.1.Value", "42", "ClientToken", "once")
		h.golden("SendFile", "SendFile", asked)
		id := call[run](h, "SendFile", asked).InvokeId
		h.report(first, placed(h, orderly.Success, ""))
		h.report(second, placed(h, orderly.Invalid, orderly.FileAlreadyExists))
		h.golden("DescribeSendFileResults", "DescribeSendFileResults", values{"InvokeId": id})
		call[run](h, "SendFile", file(first))
		h.golden("DescribeSendFileResults-page", "DescribeSendFileResults", values{"MaxResults": "1"})
		h.golden("DescribeSendFileResults-none", "DescribeSendFileResults", values{"InvokeId": "f-unknown"})
	})
}

// SF-1, SF-4: what was asked for is what agents are handed and what is shown, and what was not asked for has its default.
func TestFilesAreSentAsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		type seen struct {
			Shown   sentFile
			Bytes   string
			Timeout time.Duration
		}
		plain := sentFile{
			Name: "app.conf", TargetDir: "/etc/app", Content: "a = 1", ContentType: "PlainText", FileOwner: "root", FileGroup: "root", FileMode: "0644",
			Overwrite: "false", InvocationStatus: "Pending", VmCount: 1,
		}
		encoded := plain
		encoded.Content, encoded.ContentType = "YSA9\nIDE=", "Base64"
		unlike := plain
		unlike.Content = "YSA9IDE="
		for name, c := range map[string]struct {
			more []string
			want seen
		}{
			"defaults":                   {nil, seen{plain, "a = 1", time.Minute}},
			"EN-2 plain":                 {[]string{"ContentType", "PlainText", "Content", "YSA9IDE="}, seen{unlike, "YSA9IDE=", time.Minute}},
			"EN-2 Base64":                {[]string{"ContentType", "Base64", "Content", "YSA9\nIDE="}, seen{encoded, "a = 1", time.Minute}},
			"EN-2 any case":              {[]string{"ContentType", "base64", "Content", "YSA9\nIDE="}, seen{encoded, "a = 1", time.Minute}},
			"CMD-5 raised":               {[]string{"Timeout", "9"}, seen{plain, "a = 1", 10 * time.Second}},
			"CMD-5 the longest":          {[]string{"Timeout", "86400"}, seen{plain, "a = 1", 24 * time.Hour}},
			"TGT-2 named twice":          {[]string{"InstanceId.2", machine}, seen{plain, "a = 1", time.Minute}},
			"TGT-4 a group of the other": {[]string{"ResourceGroupId", "rg-machines"}, seen{plain, "a = 1", time.Minute}},
		} {
			id := call[run](h, "SendFile", file(machine).with(c.more...)).InvokeId
			v, shown := h.handed(machine), h.sentFile(id)
			raw, err := v.File.Bytes()
			must(t, err)
			if !strings.HasPrefix(id, "f-hz0") || v.ID != id || len(shown.InvokeInstances.InvokeInstance) != 1 {
				t.Errorf("%s: %s is %+v", name, id, shown)
			}
			shown.InvokeId, shown.CreationTime, shown.InvokeInstances.InvokeInstance = "", "", nil
			if diff := cmp.Diff(c.want, seen{shown, string(raw), v.Command.Timeout}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		all := file(machine).with("FileOwner", "app", "FileGroup", "adm", "FileMode", "755", "Overwrite", "true", "Description", "d", "Name", "n", "TargetDir", "/srv")
		id := call[run](h, "SendFile", all).InvokeId
		want := orderly.File{Name: "n", Content: "a = 1", Description: "d", Dir: "/srv", Owner: "app", Group: "adm", Mode: "755", Overwrite: true}
		if diff := cmp.Diff(&want, h.handed(machine).File); diff != "" {
			t.Errorf("handed over (-want +got):\n%s", diff)
		}
		if got := h.sentFile(id); got.Overwrite != "true" || got.FileMode != "755" || got.FileOwner != "app" || got.FileGroup != "adm" || got.Description != "d" {
			t.Errorf("shown: %+v", got)
		}
	})
}

// SF-1: the largest of everything.
func TestFilesOfTheLargestSize(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var many []string
		act := call[struct{ ActivationId, ActivationCode string }](h, "CreateActivation", values{"InstanceCount": "50"})
		for range 50 {
			many = append(many, h.register(act.ActivationId, act.ActivationCode, orderly.Windows))
		}
		raw := make([]byte, 24<<10)
		v := file(many...).with("Name", strings.Repeat("é", 255), "TargetDir", "/"+strings.Repeat("é", 254), "Description", strings.Repeat("é", 512),
			"FileOwner", strings.Repeat("é", 64), "FileGroup", strings.Repeat("é", 64), "Content", base64.StdEncoding.EncodeToString(raw), "ContentType", "Base64")
		got := h.sentFile(call[run](h, "SendFile", v).InvokeId)
		if got.VmCount != 50 || len(got.InvokeInstances.InvokeInstance) != 50 || len(got.Content) != 32<<10 || got.Name != v["Name"] || got.Description != v["Description"] {
			t.Errorf("shown: %d instances, %d bytes, %+v", got.VmCount, len(got.Content), got.Name)
		}
		for i, row := range got.InvokeInstances.InvokeInstance {
			if row.InstanceId != many[i] { // PG-1
				t.Errorf("instance %d is %s, want %s", i, row.InstanceId, many[i])
			}
		}
	})
}

// SF-4: filters combine, compare to the letter, and find nothing where there is nothing.
func TestFilterOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.online(), h.online()
		good, bad := placed(h, orderly.Success, ""), placed(h, orderly.Failed, orderly.FileCreateFail)
		partial := h.sentTo(file(a, b).with("Name", "partial", "Tag.1.Key", "k", "Tag.1.Value", "v", "Tag.2.Key", "l"), map[string]orderly.Report{a: good, b: bad})
		failed := h.sentTo(file(b).with("Name", "failed", "ResourceGroupId", "rg-machines"), map[string]orderly.Report{b: placed(h, orderly.Invalid, orderly.FilePathInvalid)})
		fine := h.sentTo(file(a).with("Name", "fine"), map[string]orderly.Report{a: good})
		runs := h.sentTo(file(b).with("Name", "runs", "Tag.1.Key", "k", "Tag.1.Value", "w"), map[string]orderly.Report{b: h.began()})
		waits := h.sentTo(file(a).with("Name", "waits"), nil)
		call[run](h, "RunCommand", script(a).with("Name", "fine"))
		everything := []string{waits, runs, fine, failed, partial}
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"all", nil, everything},
			{"DI-1", values{"InvokeId": failed}, []string{failed}},
			{"DI-1", values{"InvokeId": "f-unknown"}, nil},
			{"DI-1", values{"InvokeId": failed, "Name": "fine"}, nil},
			{"DI-1", values{"RegionId": "cn-beijing"}, nil},
			{"DI-2", values{"InstanceId": a}, []string{waits, fine, partial}},
			{"DI-2", values{"InstanceId": b, "Name": "partial"}, []string{partial}},
			{"DI-2", values{"InstanceId": "mi-unknown"}, nil},
			{"DI-7", values{"Name": "fine"}, []string{fine}},
			{"DI-7", values{"Name": "Fine"}, nil},
			{"DI-7", values{"ResourceGroupId": "rg-machines"}, []string{failed}},
			{"DI-7", values{"ResourceGroupId": "rg-other"}, nil},
			{"DI-7", values{"Tag.1.Key": "k", "Tag.1.Value": "v"}, []string{partial}},
			{"DI-7", values{"Tag.1.Key": "k", "Tag.1.Value": "v", "Tag.2.Key": "l"}, []string{partial}},
			{"DI-7", values{"Tag.1.Key": "k", "Tag.1.Value": "x"}, nil},
			{"SF-2", values{"InvocationStatus": "Pending"}, []string{waits}},
			{"SF-2", values{"InvocationStatus": "Running"}, []string{runs}},
			{"SF-2", values{"InvocationStatus": "Success"}, []string{fine}},
			{"SF-2", values{"InvocationStatus": "Failed"}, []string{failed}},
			{"SF-2", values{"InvocationStatus": "PartialFailed"}, []string{partial}},
			{"SF-2 overall", values{"InvocationStatus": "PartialFailed", "InstanceId": a}, []string{partial}},
			{"SF-2 not an instance's", values{"InvocationStatus": "Invalid"}, nil},
			{"SF-2 not the older", values{"InvocationStatus": "Finished"}, nil},
		} {
			got := call[sent](h, "DescribeSendFileResults", c.filter)
			if !slices.Equal(got.ids(), c.want) || got.TotalCount != len(c.want) {
				t.Errorf("%s %v: %v of %d, want %v", c.rule, c.filter, got.ids(), got.TotalCount, c.want)
			}
		}
		only := call[sent](h, "DescribeSendFileResults", values{"InstanceId": a, "InvokeId": partial}).Invocations.Invocation[0]
		if rows := only.InvokeInstances.InvokeInstance; len(rows) != 1 || rows[0].InstanceId != a || only.InvocationStatus != "PartialFailed" || only.VmCount != 2 { // DI-2, AG-6
			t.Errorf("with its instance: %+v", only)
		}
		if got := call[sent](h.as(other), "DescribeSendFileResults", nil); got.TotalCount != 0 {
			t.Errorf("another account sees %v", got.ids())
		}
	})
}

// PG-1 to PG-7: pages by number and by token.
func TestPagesOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		var all []string
		for range 5 {
			all = append([]string{call[run](h, "SendFile", file(machine)).InvokeId}, all...)
		}
		second := call[sent](h, "DescribeSendFileResults", values{"PageSize": "2", "PageNumber": "2"})
		if !slices.Equal(second.ids(), all[2:4]) || second.TotalCount != 5 || second.PageNumber != 2 || second.PageSize != 2 || second.NextToken == "" {
			t.Errorf("the second page is %+v, want %v", second.page, all[2:4])
		}
		if got := call[sent](h, "DescribeSendFileResults", nil); got.PageSize != 10 || got.PageNumber != 1 || got.NextToken != "" || !slices.Equal(got.ids(), all) {
			t.Errorf("without numbers: %+v %v", got.page, got.ids())
		}
		var walked []string
		token := ""
		for {
			page := call[sent](h, "DescribeSendFileResults", values{"MaxResults": "2", "NextToken": token})
			walked = append(walked, page.ids()...)
			if page.PageSize != 2 || page.TotalCount != 5 {
				t.Errorf("a page by token: %+v", page.page)
			}
			if token = page.NextToken; token == "" {
				break
			}
			h.refused("DescribeSendFileResults", values{"NextToken": token, "Name": "x"}, 400, "InvalidParameter.NextToken") // PG-6
			h.refused("DescribeInvocations", values{"NextToken": token}, 400, "InvalidParameter.NextToken")
		}
		if !slices.Equal(walked, all) {
			t.Errorf("by token: %v, want %v", walked, all)
		}
	})
}

// SF-2, SF-3, T8 to T11: each state of an instance and each code, with its sentence.
func TestEndsOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		for _, c := range []struct {
			report orderly.Report
			want   ending
		}{
			{placed(h, orderly.Success, ""), ending{State: "Success"}},
			{h.began(), ending{State: "Running"}},
			{placed(h, orderly.Timeout, ""), ending{State: "Timeout", Code: "ExecutionTimeout", Info: "The command execution has been timeout"}},
			{placed(h, orderly.Error, orderly.ClientRestarted), ending{State: "Error", Code: "ClientRestarted", Info: "The aliyun service on the instance was restarted during task execution"}},
			{placed(h, orderly.Error, orderly.ClientIsUpgrading), ending{State: "Error", Code: "ClientIsUpgrading", Info: "The aliyun service in the instance is upgrading during task execution"}},
			{placed(h, orderly.Failed, orderly.FileCreateFail), ending{State: "Failed", Code: "FileCreateFail", Info: "The file could not be created"}},
			{placed(h, orderly.Failed, orderly.FileAuthorityInvalid), ending{State: "Failed", Code: "FileAuthorityInvalid", Info: "The file mode or the file owner is invalid"}},
			{placed(h, orderly.Invalid, orderly.FileAlreadyExists), ending{State: "Invalid", Code: "FileAlreadyExists", Info: "The file already exists"}},
			{placed(h, orderly.Invalid, orderly.FileContentInvalid), ending{State: "Invalid", Code: "FileContentInvalid", Info: "The file content is invalid"}},
			{placed(h, orderly.Invalid, orderly.FileNameInvalid), ending{State: "Invalid", Code: "FileNameInvalid", Info: "The file name is invalid"}},
			{placed(h, orderly.Invalid, orderly.FilePathInvalid), ending{State: "Invalid", Code: "FilePathInvalid", Info: "The target directory is invalid"}},
			{placed(h, orderly.Invalid, orderly.AccountNotExists), ending{State: "Invalid", Code: "AccountNotExists", Info: "The specified account does not exist"}},
			{placed(h, orderly.Invalid, orderly.UserGroupNotExists), ending{State: "Invalid", Code: "UserGroupNotExists", Info: "The specified user group does not exist"}},
			{placed(h, orderly.Invalid, orderly.CommandNotApplicable), ending{State: "Aborted", Code: "ClientNeedUpgrade", Info: "The aliyun service in the instance need to be upgraded"}},
		} {
			h.checkFile(h.sentTo(file(machine), map[string]orderly.Report{machine: c.report}), c.want)
		}
		h.checkFile(h.sentTo(file(machine), nil), ending{State: "Pending"})
		h.checkFile(h.sentTo(file(h.away(orderly.Linux)), nil),
			ending{State: "Aborted", Code: "InstanceNotRunning", Info: "The specified instance was not running during task execution"}) // T3

		silent, begun := h.machine(orderly.Linux), h.online()
		waits, runs := h.sentTo(file(silent), nil), h.sentTo(file(begun), map[string]orderly.Report{begun: h.began()})
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { // REL-1
			return errors.Join(h.engine.Release(tx, silent, orderly.InstanceNotExists), h.engine.Release(tx, begun, orderly.InstanceReleased))
		}))
		h.checkFile(waits, ending{State: "Aborted", Code: "InstanceNotExists", Info: "The specified instance does not exist"})
		h.checkFile(runs, ending{State: "Error", Code: "InstanceReleased", Info: "The specified instance was released during task execution"})
	})
}

// checkFile compares the one task of a file with what is wanted of it.
func (h *house) checkFile(invoke string, want ending) {
	h.t.Helper()
	f := h.sentFile(invoke)
	row := f.InvokeInstances.InvokeInstance[0]
	if diff := cmp.Diff(want, ending{State: row.InvocationStatus, Code: row.ErrorCode, Info: row.ErrorInfo}); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", want.Code, diff)
	}
	overall := want.State
	if !orderly.State(want.State).Live() && want.State != "Success" {
		overall = "Failed"
	}
	ended := !orderly.State(want.State).Live()
	if f.InvocationStatus != overall || (row.FinishTime != "") != ended || row.CreationTime == "" || row.UpdateTime == "" {
		h.t.Errorf("%s: overall %s, %+v", want.Code, f.InvocationStatus, row)
	}
}

// T4, AB-2: a file that no agent took in time says what was wrong with the agent.
func TestFilesThatAreNotDelivered(t *testing.T) {
	limits := orderly.DefaultLimits
	limits.FireDelay = time.Millisecond
	hasty := setting{engine: engine.Config{Limits: limits, Delivery: time.Millisecond, Sweep: time.Millisecond}}
	eachWith(t, hasty, func(t *testing.T, h *house) {
		var machines, made []string
		for range 3 {
			machine := h.machine(orderly.Linux)
			machines, made = append(machines, machine), append(made, h.sentTo(file(machine), nil))
		}
		waits := h.ran(script(machines[0]), nil) // what fireAll waits for
		h.later()
		h.connect(machines[1:]...)
		h.raw("update presence set heartbeat = 1 where instance = '" + machines[1] + "'")
		h.fireAll()
		h.checkEnding(waits, ending{"Aborted", "Failed", "ClientNotRunning", "The aliyun service is not running on the instance"})
		for i, want := range []ending{
			{State: "Aborted", Code: "ClientNotRunning", Info: "The aliyun service is not running on the instance"},
			{State: "Aborted", Code: "ClientNotResponse", Info: "The aliyun service in the instance does not response"},
			{State: "Aborted", Code: "DeliveryTimeout", Info: "The command delivery has been timeout"},
		} {
			h.checkFile(made[i], want)
		}
	})
}

// SF-5, HB-3: files are not among invocations in any operation but their own, and count as tasks of their machine.
func TestFilesAreNoInvocations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := h.sentTo(file(machine), map[string]orderly.Report{machine: h.began()})
		h.refused("StopInvocation", values{"InvokeId": id}, 404, "InvalidInvokeId.NotFound")
		h.refused("StopInvocation", values{"InvokeId": id, "InstanceId.1": machine}, 404, "InvalidInvokeId.NotFound")
		h.refused("ModifyInvocationAttribute", values{"InvokeId": id, "InstanceId.1": machine}, 404, "InvalidInvokeId.NotFound")
		h.refused("TagResources", values{"ResourceType": "invocation", "ResourceId.1": id, "Tag.1.Key": "k"}, 404, "InvalidResourceId.NotFound")
		for _, v := range []values{nil, {"InvokeId": id}, {"InstanceId": machine}} {
			if a, b := call[invocations](h, "DescribeInvocations", v), call[results](h, "DescribeInvocationResults", v); a.TotalCount != 0 || b.Invocation.TotalCount != 0 {
				t.Errorf("%v finds %v and %v", v, a.ids(), b.ids())
			}
		}
		if got := call[struct{ TotalCount int }](h, "DescribeCommands", nil).TotalCount; got != 0 {
			t.Errorf("%d commands", got)
		}
		command := call[run](h, "RunCommand", script(machine)).InvokeId
		if got := call[sent](h, "DescribeSendFileResults", values{"InvokeId": command}); got.TotalCount != 0 {
			t.Errorf("a command is a file: %+v", got)
		}
		type status struct {
			InstanceCloudAssistantStatusSet struct {
				InstanceCloudAssistantStatus []struct {
					ActiveTaskCount, InvocationCount int
					LastInvokedTime                  string
				}
			}
		}
		got := call[status](h, "DescribeCloudAssistantStatus", values{"InstanceId.1": machine}).InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus[0]
		if got.ActiveTaskCount != 1 || got.LastInvokedTime == "" {
			t.Errorf("while it is written: %+v", got)
		}
	})
}

// LATE-2: an end that comes after the file's row ended is a late result.
func TestLateResultsOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := h.sentTo(file(machine), map[string]orderly.Report{machine: {State: orderly.Pending}})
		must(t, h.engine.Lost(t.Context(), map[string]string{machine: "link-" + machine}))
		h.greet(machine, "another link") // with an empty list
		h.checkFile(id, ending{State: "Error", Code: "ExecutionInterrupted", Info: "The command execution has been interrupted"})
		h.report(machine, placed(h, orderly.Success, ""))
		got := call[lateResults](h, "DescribeLateResults", values{"InvokeId": id}).LateResults.LateResult
		if len(got) != 1 || got[0].InvocationStatus != "Success" || got[0].InstanceId != machine {
			t.Errorf("late results: %+v", got)
		}
	})
}

// TOK-1, TOK-2: one file for a token, whatever has become of its machine, and another file is told of.
func TestTokensOfFiles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		asked := file(machine).with("ClientToken", "t", "Timeout", "30")
		first := call[run](h, "SendFile", asked)
		if again := call[run](h, "SendFile", asked.with("OwnerId", "1", "Overwrite", "false")); again != first {
			t.Errorf("again %+v, want %+v", again, first)
		}
		for _, more := range [][]string{{"Content", "b"}, {"Overwrite", "true"}, {"Timeout", "31"}, {"FileMode", "0600"}, {"InstanceId.1", "mi-unknown"}, {"Tag.1.Key", "x"}} {
			h.refused("SendFile", asked.with(more...), 403, "IdempotentParameterMismatch")
		}
		command := call[run](h, "RunCommand", script(machine).with("ClientToken", "t"))
		if command.InvokeId == first.InvokeId {
			t.Errorf("RunCommand answers %+v with the token of a file", command)
		}
		h.raw(fmt.Sprintf(`update invocations set building = 1 where id = '%s'`, first.InvokeId))
		h.refused("SendFile", asked, 403, "IdempotentProcessing")
		h.raw(fmt.Sprintf(`update invocations set building = 0 where id = '%s'`, first.InvokeId))
		call[struct{}](h, "DeregisterManagedInstance", values{"InstanceId": machine})
		if again := call[run](h, "SendFile", asked); again != first {
			t.Errorf("with its machine gone %+v, want %+v", again, first)
		}
		if got := call[sent](h, "DescribeSendFileResults", nil); got.TotalCount != 1 {
			t.Errorf("%d files, want 1", got.TotalCount)
		}
	})
}

// SF-1: what is wrong with a file, by the rule that asks for it.
var fileRefusals = []refusal{
	{"required", "SendFile", aFile.with("Name", ""), 400, "MissingParameter.Name"},
	{"required", "SendFile", aFile.with("TargetDir", ""), 400, "MissingParameter.TargetDir"},
	{"required", "SendFile", aFile.with("Content", ""), 400, "MissingParameter.Content"},
	{"TGT-1", "SendFile", aFile.with("InstanceId.1", ""), 400, "MissingParam.InstanceId"},
	{"TGT-1", "SendFile", values{"Name": "n", "TargetDir": "/", "Content": "c"}, 400, "MissingParam.InstanceId"},
	{"TGT-1", "SendFile", aFile.with(many("InstanceId", 51, "")...), 403, "InstanceIds.ExceedLimit"},
	{"TGT-2", "SendFile", aFile.with("InstanceId.2", "mi-unknown"), 404, "InvalidInstance.NotFound"},
	{"TGT-4", "SendFile", aFile.with("ResourceGroupId", "group"), 404, "InvalidResourceGroup.NotFound"},
	{"TGT-4", "SendFile", aFile.with("ResourceGroupId", "rg-other"), 404, "InvalidResourceGroup.NotFound"},
	{"SF-1", "SendFile", aFile.with("Name", long(256)), 403, "FileName.ExceedLimit"},
	{"SF-1", "SendFile", aFile.with("Description", long(513)), 403, "FileDesc.ExceedLimit"},
	{"SF-1", "SendFile", aFile.with("TargetDir", "/"+long(255)), 400, "FileTargetDir.Invalid"},
	{"SF-1", "SendFile", aFile.with("TargetDir", "etc"), 400, "FileTargetDir.Invalid"},
	{"SF-1", "SendFile", aFile.with("TargetDir", "/etc\x00"), 400, "FileTargetDir.Invalid"},
	{"SF-1", "SendFile", aFile.with("TargetDir", "/\xff"), 400, "FileTargetDir.Invalid"},
	{"SF-1", "SendFile", aFile.with("FileMode", "0888"), 400, "FileMode.Invalid"},
	{"SF-1", "SendFile", aFile.with("FileMode", "\x00"), 400, "FileMode.Invalid"},
	{"SF-1", "SendFile", aFile.with("ContentType", "Text"), 400, "FileContentType.Invalid"},
	{"SF-1", "SendFile", aFile.with("ContentType", "\xff"), 400, "FileContentType.Invalid"},
	{"SF-1", "SendFile", aFile.with("ContentType", "Base64"), 400, "FileContent.DecodeError"},
	{"SF-1", "SendFile", aFile.with("Content", long(24577)), 403, "FileSize.ExceedLimit"},
	{"SF-1", "SendFile", aFile.with("Content", strings.Repeat("YWJj", 8193), "ContentType", "Base64"), 403, "FileSize.ExceedLimit"},
	{"SF-1", "SendFile", aFile.with("FileOwner", long(65)), 400, "InvalidParameter.FileOwner"},
	{"SF-1", "SendFile", aFile.with("FileOwner", "\xff"), 400, "InvalidParameter.FileOwner"},
	{"SF-1", "SendFile", aFile.with("FileGroup", "a:b"), 400, "InvalidParameter.FileGroup"},
	{"CMD-5", "SendFile", aFile.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "SendFile", aFile.with("Timeout", "soon"), 400, "InvalidParameter.Timeout"},
	{"form", "SendFile", aFile.with("Overwrite", "perhaps"), 400, "InvalidParameter.Overwrite"},
	{"no text", "SendFile", aFile.with("Name", "a\x00"), 400, "InvalidParameter.Name"},
	{"no text", "SendFile", aFile.with("Description", "\xff"), 400, "InvalidParameter.Description"},
	{"no text", "SendFile", aFile.with("Content", "\xff"), 400, "InvalidParameter.Content"},
	{"TOK-1", "SendFile", aFile.with("ClientToken", long(65)), 400, "InvalidClientToken.Malformed"},
	{"no text", "DescribeSendFileResults", values{"Name": "\xff"}, 400, "InvalidParameter.Name"},
	{"no text", "DescribeSendFileResults", values{"InvokeId": "\x00"}, 400, "InvalidParameter.InvokeId"},
	{"SF-5", "StopInvocation", values{"InvokeId": "{file}"}, 404, "InvalidInvokeId.NotFound"},
}

// faultyFile is a SendFile, and what may be wrong with it.
func faultyFile() (f faulty) {
	f.action, f.right = "SendFile", aFile
	f.faults[atRequired] = []fault{
		{values{"Name": "-"}, 400, "MissingParameter.Name"},
		{values{"InstanceId.1": "-"}, 400, "MissingParam.InstanceId"},
	}
	f.faults[atForm] = []fault{
		{values{"FileMode": "x"}, 400, "FileMode.Invalid"},
		{values{"Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		{values{"ContentType": "x"}, 400, "FileContentType.Invalid"},
		{values{"Tag.1.Value": "v"}, 400, "MissingParameter.TagKey"},
		{values{"ClientToken": "é"}, 400, "InvalidClientToken.Malformed"},
		{values{}.with(many("InstanceId", 51, "")...), 403, "InstanceIds.ExceedLimit"},
	}
	f.faults[atExistence] = runAbsent
	return f
}

// sending are the codes that the text lists for SendFile.
const sending = base + tags + `400 MissingParam.InstanceId, FileTargetDir.Invalid, FileMode.Invalid, FileContent.DecodeError, FileContentType.Invalid,
	InvalidParameter.FileOwner, InvalidParameter.FileGroup
	403 FileSize.ExceedLimit, FileName.ExceedLimit, FileDesc.ExceedLimit, InstanceIds.ExceedLimit, InvalidTimeout.ExceedLimit
	404 InvalidInstance.NotFound, InvalidResourceGroup.NotFound`
