package ecs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
)

// lateResults is an answer of DescribeLateResults.
type lateResults struct {
	page
	LateResults struct{ LateResult []lateResult }
}

type lateResult struct {
	task
	ReceivedTime string
}

// ids are the instances and what they printed.
func (r lateResults) ids() (list []string) {
	for _, l := range r.LateResults.LateResult {
		list = append(list, l.InstanceId+" "+l.Output)
	}
	return list
}

// gaveUp runs a script on instances and ends it with an error on each: what they report now is late.
func (h *house) gaveUp(ids ...string) (invoke string) {
	h.t.Helper()
	ended := map[string]orderly.Report{}
	for _, id := range ids {
		ended[id] = orderly.Report{State: orderly.Error, ErrorCode: orderly.ExecutionInterrupted}
	}
	return h.ran(script(ids...), ended)
}

// late reports the end of run n of the newest task on an instance; 0 is for a task that runs once.
func (h *house) late(id string, n int64, r orderly.Report) {
	h.t.Helper()
	r.Number += n << 32
	h.report(id, r)
}

func TestAnswersOfLateResults(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		invoke := h.gaveUp(first, second)
		failed := tailed(h.ended(orderly.Failed, 7, "half of <it>\n"), 100)
		failed.ErrorCode = orderly.ExitCodeNonzero
		h.late(second, 0, failed)
		h.late(first, 0, h.ended(orderly.Success, 0, "hello\n"))
		h.golden("DescribeLateResults", "DescribeLateResults", values{"InvokeId": invoke, "ContentEncoding": "PlainText"})
		h.golden("DescribeLateResults-page", "DescribeLateResults", values{"InvokeId": invoke, "MaxResults": "1"})
		h.golden("DescribeLateResults-none", "DescribeLateResults", values{"InvokeId": "t-unknown"})
	})
}

// LATE-2: a late result keeps all it said, and no published operation shows any of it.
func TestLateResultsStandBeside(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		invoke := h.gaveUp(id)
		before := fmt.Sprint(h.only(values{"InvokeId": invoke, "IncludeOutput": "true"}), h.result(values{"InvokeId": invoke}))
		for n, c := range []struct {
			rule   string
			report orderly.Report
			want   string
		}{
			{"once", h.ended(orderly.Success, 0, "fine\n"), "Success 0  1 fine\n 0"},
			{"another", orderly.Report{State: orderly.Error, ErrorCode: orderly.ClientRestarted, Number: 10}, "Error none ClientRestarted 1  0"},
			{"run 1", h.ended(orderly.Failed, 3, "caf\xc3"), "Failed 3  1 caf\uFFFD 0"},
			{"run 2, OUT-2", tailed(h.ended(orderly.Timeout, 137, "\xa9é"), 5), "Timeout 137  2 é 5"},
			{"run 3", h.ended(orderly.Terminated, 143, ""), "Terminated 143  3  0"},
		} {
			h.late(id, int64(max(0, n-1)), c.report)
			r := call[lateResults](h, "DescribeLateResults", values{"InvokeId": invoke, "ContentEncoding": "PlainText", "MaxResults": "50"})
			if len(r.LateResults.LateResult) != n+1 || r.TotalCount != n+1 || r.PageSize != 50 {
				t.Fatalf("%s: %d late results, %+v, want %d", c.rule, len(r.LateResults.LateResult), r.page, n+1)
			}
			i := slices.IndexFunc(r.LateResults.LateResult, func(l lateResult) bool { return l.InvocationStatus == string(c.report.State) })
			l := r.LateResults.LateResult[i]
			got := fmt.Sprint(l.InvocationStatus, " ", show(l.ExitCode), " ", l.ErrorCode, " ", l.Repeats, " ", l.Output, " ", l.Dropped)
			if got != c.want || l.InvokeId != invoke || l.InstanceId != id || l.ReceivedTime == "" {
				t.Errorf("%s: %q of %+v, want %q", c.rule, got, l, c.want)
			}
			if (l.ErrorInfo == "") != (l.ErrorCode == "") || (l.StartTime == "") != c.report.Started.IsZero() {
				t.Errorf("%s: ErrorInfo %q, StartTime %q", c.rule, l.ErrorInfo, l.StartTime)
			}
		}
		after := fmt.Sprint(h.only(values{"InvokeId": invoke, "IncludeOutput": "true"}), h.result(values{"InvokeId": invoke}))
		if after != before {
			t.Errorf("published operations show %s, before %s", after, before)
		}
	})
}

// PG-1, PG-5 to PG-7, EN-1: pages by token hold every late result once, whatever comes meanwhile.
func TestPagesOfLateResults(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ids := []string{h.online(), h.online()}
		invoke := h.gaveUp(ids...)
		want := map[string]bool{}
		for n := range int64(7) {
			h.late(ids[n%2], n, h.ended(orderly.Success, 0, fmt.Sprint(n)))
			want[fmt.Sprint(ids[n%2], " ", n)] = true
		}
		asked := values{"InvokeId": invoke, "MaxResults": "2", "ContentEncoding": "PlainText"}
		got := map[string]bool{}
		for n := int64(7); ; n++ {
			r := call[lateResults](h, "DescribeLateResults", asked)
			if r.TotalCount != int(n) || r.PageSize != 2 {
				t.Errorf("page %+v, want %d in all", r.page, n)
			}
			for _, id := range r.ids() {
				if got[id] {
					t.Errorf("%s is on two pages", id)
				}
				got[id] = true
			}
			if asked["NextToken"] = r.NextToken; r.NextToken == "" {
				break
			}
			h.late(ids[0], n, h.ended(orderly.Success, 0, "meanwhile"))
		}
		for id := range want {
			if !got[id] {
				t.Errorf("%q is on no page", id)
			}
		}
		one := call[lateResults](h, "DescribeLateResults", values{"InvokeId": invoke, "InstanceId": ids[1]})
		if one.TotalCount != 3 || one.PageSize != 10 || !slices.Equal(one.ids(), []string{ids[1] + " NQ==", ids[1] + " Mw==", ids[1] + " MQ=="}) {
			t.Errorf("on one instance %v, %+v", one.ids(), one.page)
		}
	})
}

// ERR-1, PG-3, PG-6, DI-1.
func TestRefusalsOfLateResults(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		invoke := h.gaveUp(id)
		for n := range int64(2) {
			h.late(id, n, h.ended(orderly.Success, 0, "secret"))
		}
		asked := values{"InvokeId": invoke, "MaxResults": "1"}
		token := call[lateResults](h, "DescribeLateResults", asked).NextToken
		call[run](h, "RunCommand", script(id))
		foreign := call[invocations](h, "DescribeInvocations", values{"MaxResults": "1"}).NextToken
		if token == "" || foreign == "" {
			t.Fatal("no tokens for second pages")
		}
		for _, c := range []struct {
			rule string // why it is refused
			more []string
			code string
		}{
			{"required", []string{"InvokeId", ""}, "MissingParameter.InvokeId"},
			{"required", []string{"RegionId", ""}, "MissingParameter.RegionId"},
			{"no text", []string{"InvokeId", "t\x00"}, "InvalidParameter.InvokeId"},
			{"no text", []string{"InstanceId", "\xff"}, "InvalidParameter.InstanceId"},
			{"PG-3", []string{"MaxResults", "0"}, "InvalidParameter.MaxResults"},
			{"PG-3", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
			{"PG-3", []string{"MaxResults", "all"}, "InvalidParameter.MaxResults"},
			{"PG-3", []string{"NextToken", "x"}, "InvalidParameter.NextToken"},
			{"PG-6 another operation", []string{"NextToken", foreign}, "InvalidParameter.NextToken"},
			{"PG-6 another invocation", []string{"NextToken", token, "InvokeId", "t-unknown"}, "InvalidParameter.NextToken"},
			{"PG-6 another filter", []string{"NextToken", token, "InstanceId", id}, "InvalidParameter.NextToken"},
			{"PG-6 another region", []string{"NextToken", token, "RegionId", "cn-beijing"}, "InvalidParameter.NextToken"},
		} {
			h.refused("DescribeLateResults", asked.with(c.more...), 400, c.code)
		}
		h.refused("DescribeLateResults", asked.with("RegionId", "mars"), 404, "InvalidRegionId.NotFound")
		h.as(other).refused("DescribeLateResults", asked.with("NextToken", token), 400, "InvalidParameter.NextToken")
		for _, empty := range []lateResults{
			call[lateResults](h, "DescribeLateResults", values{"InvokeId": "t-unknown"}),
			call[lateResults](h, "DescribeLateResults", values{"InvokeId": invoke, "InstanceId": "mi-unknown"}),
			call[lateResults](h, "DescribeLateResults", values{"InvokeId": invoke, "RegionId": "cn-beijing"}),
			call[lateResults](h.as(other), "DescribeLateResults", values{"InvokeId": invoke}),
		} {
			if len(empty.LateResults.LateResult) != 0 || empty.TotalCount != 0 || empty.NextToken != "" {
				t.Errorf("what is not the caller's is shown: %+v", empty)
			}
		}
	})
}
