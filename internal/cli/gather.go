package cli

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/client"
)

const (
	pageSize = 50   // the longest page, and list of IDs, that the API takes
	atOnce   = 8    // requests under way
	embedded = 1000 // machines that are shown inside an invocation (rule PG-10)
)

// A Result is what came of a command on one machine, as --json shows it.
type Result struct {
	Instance  string `json:"instance"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	ExitCode  *int64 `json:"exitCode"` // nil when there is none
	ErrorCode string `json:"errorCode"`
	ErrorInfo string `json:"errorInfo"`
	Output    string `json:"output"`
	Started   string `json:"started"`  // UTC; "" for never
	Finished  string `json:"finished"` // the same
	Dropped   int64  `json:"dropped"`  // bytes of output that were not kept, before those that were

	Late     bool   `json:"late,omitempty"`     // it came after what is said of the machine had been settled
	Repeats  int    `json:"repeats,omitempty"`  // of a late one: which run it is of, 1 for the first
	Received string `json:"received,omitempty"` // of a late one: when it came, UTC
}

// gather fetches the results of an invocation, in the order of its targets, those that came late, and
// the machines' names. What inv tells of its machines lets it ask for everything at once.
func (s *Session) gather(ctx context.Context, inv *client.Invocation) (Report, error) {
	var rows []client.InvocationResult
	var late []client.LateResult
	var names map[string]string
	known := inv.InvokeInstances.InvokeInstance
	whole := len(known) < embedded
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		rows, err = s.results(gctx, inv.InvokeId, len(known))
		return err
	})
	g.Go(func() (err error) {
		late, err = s.api.DescribeLateResults(gctx, client.DescribeLateResultsRequest{InvokeId: inv.InvokeId})
		return err
	})
	g.Go(func() (err error) {
		if whole {
			names, err = s.names(gctx, ids(known, func(i *client.InvokeInstance) string { return i.InstanceId }))
		}
		return err
	})
	err := g.Wait()
	if err == nil && !whole {
		names, err = s.names(ctx, ids(rows, func(r *client.InvocationResult) string { return r.InstanceId }))
	}
	if err != nil {
		return Report{}, err
	}
	r := Report{InvokeID: inv.InvokeId, Results: make([]Result, len(rows)), Late: make([]Result, len(late))}
	for i := range rows {
		r.Results[i] = result(&rows[i], names)
	}
	for i := range late {
		r.Late[i] = lateResult(&late[i], names)
	}
	return r, nil
}

func ids[T any](list []T, id func(*T) string) []string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = id(&list[i])
	}
	return all
}

// result joins a row with the name of its machine.
func result(r *client.InvocationResult, names map[string]string) Result {
	return Result{
		Instance: r.InstanceId, Name: nameOf(r.InstanceId, names), Status: r.InvocationStatus, ExitCode: r.ExitCode, ErrorCode: r.ErrorCode, ErrorInfo: r.ErrorInfo,
		Output: string(r.Output), Started: r.StartTime, Finished: r.FinishedTime, Dropped: r.Dropped,
	}
}

func lateResult(l *client.LateResult, names map[string]string) Result {
	return Result{
		Instance: l.InstanceId, Name: nameOf(l.InstanceId, names), Status: l.InvocationStatus, ExitCode: l.ExitCode, ErrorCode: l.ErrorCode, ErrorInfo: l.ErrorInfo,
		Output: string(l.Output), Started: l.StartTime, Finished: l.FinishedTime, Dropped: l.Dropped,
		Late: true, Repeats: l.Repeats, Received: l.ReceivedTime,
	}
}

// nameOf is the name of a machine; one that is no longer registered has its ID.
func nameOf(id string, names map[string]string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

// A resultsRequest asks for one page by its number, so that pages can be asked for at once.
type resultsRequest struct {
	InvokeId         string
	InvocationStatus string
	PageNumber       int
	PageSize         int
	ContentEncoding  string
}

// A resultsPage is one page of results.
type resultsPage struct {
	TotalCount        int
	InvocationResults struct{ InvocationResult []client.InvocationResult }
}

func (s *Session) page(ctx context.Context, q resultsRequest) (resultsPage, error) {
	q.ContentEncoding = "Base64"
	var resp struct{ Invocation resultsPage }
	err := s.api.Call(ctx, "DescribeInvocationResults", q, &resp)
	return resp.Invocation, err
}

// results fetches all results of an invocation; expected is how many there seem to be.
func (s *Session) results(ctx context.Context, id string, expected int) ([]client.InvocationResult, error) {
	var pages []resultsPage
	for want := max(1, pagesOf(expected)); len(pages) < want; want = pagesOf(pages[0].TotalCount) {
		have := len(pages)
		pages = append(pages, make([]resultsPage, want-have)...)
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(atOnce)
		for i := have; i < want; i++ {
			g.Go(func() (err error) {
				pages[i], err = s.page(gctx, resultsRequest{InvokeId: id, PageNumber: i + 1, PageSize: pageSize})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
	}
	var all []client.InvocationResult
	for i := range pages {
		all = append(all, pages[i].InvocationResults.InvocationResult...)
	}
	return all, nil
}

func pagesOf(n int) int { return (n + pageSize - 1) / pageSize }

// names looks up the names of machines.
func (s *Session) names(ctx context.Context, ids []string) (map[string]string, error) {
	parts := make([][]client.ManagedInstance, pagesOf(len(ids)))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	n := 0
	for part := range slices.Chunk(ids, pageSize) {
		place := &parts[n]
		n++
		g.Go(func() (err error) {
			*place, err = s.api.DescribeManagedInstances(gctx, client.DescribeManagedInstancesRequest{InstanceId: part})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(ids))
	for _, part := range parts {
		for i := range part {
			names[part[i].InstanceId] = part[i].InstanceName
		}
	}
	return names, nil
}
