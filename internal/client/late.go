package client

import "context"

// A DescribeLateResultsRequest selects late results of one invocation.
type DescribeLateResultsRequest struct {
	RegionId        string
	InvokeId        string
	InstanceId      string
	MaxResults      int    // of one page; 0 for the most that are allowed
	NextToken       string // where to begin; "" for the first page
	ContentEncoding string // set by DescribeLateResults
}

// A LateResult is a result that came after that of the invocation on its instance was settled
// otherwise. Times are UTC, "" for none.
type LateResult struct {
	InvokeId, InstanceId                  string
	InvocationStatus                      string
	ErrorCode, ErrorInfo                  string
	ExitCode                              *int64 // nil when the command has none
	Output                                Text
	Dropped                               int64 // bytes of output that were not kept
	Repeats                               int   // which run it is of, 1 for the first
	StartTime, FinishedTime, ReceivedTime string
}

// DescribeLateResults returns the late results of all pages, those received last first.
func (c *Client) DescribeLateResults(ctx context.Context, req DescribeLateResultsRequest) ([]LateResult, error) {
	req.ContentEncoding = "Base64"
	if req.MaxResults == 0 {
		req.MaxResults = maxResults
	}
	return all(req.NextToken, func(token string) ([]LateResult, string, error) {
		var resp struct {
			NextToken   string
			LateResults struct{ LateResult []LateResult }
		}
		req.NextToken = token
		err := c.Call(ctx, "DescribeLateResults", req, &resp)
		return resp.LateResults.LateResult, resp.NextToken, err
	})
}
