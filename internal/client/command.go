package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// A Text travels as Base64, so that any bytes survive; in Go it is the text itself.
type Text string

// UnmarshalJSON decodes a JSON string that holds Base64.
func (t *Text) UnmarshalJSON(data []byte) error {
	var raw []byte
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("not Base64: %w", err)
	}
	*t = Text(raw)
	return nil
}

// A Tag is a key and a value in a request.
type Tag struct{ Key, Value string }

// A RunCommandRequest runs a script. CommandContent is plain text here and is encoded on the way.
type RunCommandRequest struct {
	RegionId        string
	Type            string // empty for RunShellScript
	Name            string
	Description     string
	CommandContent  string
	InstanceId      []string
	ResourceTag     []Tag
	Timeout         int64 // seconds
	DeliveryTimeout int64 // seconds
	WorkingDir      string
	Username        string
	Parameters      string // a JSON object
	EnableParameter bool
	KeepCommand     bool
	TerminationMode string
	Tag             []Tag
	ClientToken     string // empty for one made up for this call, so that it may be repeated
	ContentEncoding string // set by RunCommand
}

// A RunCommandResponse names what was started.
type RunCommandResponse struct{ RequestId, CommandId, InvokeId string }

// RunCommand starts a script and returns as soon as it is accepted.
func (c *Client) RunCommand(ctx context.Context, req RunCommandRequest) (resp RunCommandResponse, err error) {
	if req.Type == "" {
		req.Type = "RunShellScript"
	}
	if req.ClientToken == "" {
		req.ClientToken = rand.Text()
	}
	req.ContentEncoding = "Base64"
	req.CommandContent = base64.StdEncoding.EncodeToString([]byte(req.CommandContent))
	err = c.Call(ctx, "RunCommand", req, &resp)
	return resp, err
}

// A StopInvocationRequest stops an invocation, on all its instances when none is named.
type StopInvocationRequest struct {
	RegionId   string
	InvokeId   string
	InstanceId []string
}

// StopInvocation asks for the stop and does not wait for it.
func (c *Client) StopInvocation(ctx context.Context, req StopInvocationRequest) error {
	return c.Call(ctx, "StopInvocation", req, nil)
}

// A DescribeInvocationsRequest selects invocations; all that is given must match.
type DescribeInvocationsRequest struct {
	RegionId        string
	InvokeId        string
	CommandId       string
	CommandName     string
	InstanceId      string
	InvokeStatus    string
	IncludeOutput   bool
	MaxResults      int
	NextToken       string
	ContentEncoding string // set by DescribeInvocations
}

// A DescribeInvocationsResponse is one page of invocations, newest first.
type DescribeInvocationsResponse struct {
	RequestId   string
	TotalCount  int64
	NextToken   string
	Invocations struct{ Invocation []Invocation }
}

// An Invocation is a command on its instances.
type Invocation struct {
	InvokeId, CommandId, CommandName, CommandType string
	CommandContent                                Text
	CreationTime                                  string
	InvocationStatus, InvokeStatus                string
	Timeout                                       int64
	InvokeInstances                               struct{ InvokeInstance []InvokeInstance }
}

// Ended reports whether the invocation will not change any more by itself.
func (i *Invocation) Ended() bool {
	switch i.InvocationStatus {
	case "Success", "Failed", "PartialFailed", "Stopped":
		return true
	}
	return false
}

// An InvokeInstance is the state of an invocation on one instance. Times are UTC, "" for none.
type InvokeInstance struct {
	InstanceId, InvocationStatus, InstanceInvokeStatus        string
	ErrorCode, ErrorInfo                                      string
	ExitCode                                                  *int64 // nil when the command has none
	Output                                                    Text   // only with IncludeOutput
	Dropped                                                   int64  // bytes of output that were not kept
	CreationTime, StartTime, UpdateTime, FinishTime, StopTime string
}

// DescribeInvocations returns one page.
func (c *Client) DescribeInvocations(ctx context.Context, req DescribeInvocationsRequest) (resp DescribeInvocationsResponse, err error) {
	req.ContentEncoding = "Base64"
	err = c.Call(ctx, "DescribeInvocations", req, &resp)
	return resp, err
}

// A DescribeInvocationResultsRequest selects results; all that is given must match.
type DescribeInvocationResultsRequest struct {
	RegionId         string
	InvokeId         string
	CommandId        string
	InstanceId       string
	InvocationStatus string
	MaxResults       int    // of one page; 0 for the most that are allowed
	NextToken        string // where to begin; "" for the first page
	ContentEncoding  string // set by DescribeInvocationResults
}

// An InvocationResult is what a command gave on one instance. Times are UTC, "" for none.
type InvocationResult struct {
	InvokeId, CommandId, InstanceId, Username string
	InvocationStatus, InvokeRecordStatus      string
	ErrorCode, ErrorInfo                      string
	ExitCode                                  *int64 // nil when the command has none
	Output                                    Text
	Dropped                                   int64 // bytes of output that were not kept
	StartTime, FinishedTime, StopTime         string
}

// DescribeInvocationResults returns the results of all pages.
func (c *Client) DescribeInvocationResults(ctx context.Context, req DescribeInvocationResultsRequest) ([]InvocationResult, error) {
	req.ContentEncoding = "Base64"
	if req.MaxResults == 0 {
		req.MaxResults = maxResults
	}
	return all(req.NextToken, func(token string) ([]InvocationResult, string, error) {
		var resp struct {
			Invocation struct {
				NextToken         string
				InvocationResults struct{ InvocationResult []InvocationResult }
			}
		}
		req.NextToken = token
		err := c.Call(ctx, "DescribeInvocationResults", req, &resp)
		return resp.Invocation.InvocationResults.InvocationResult, resp.Invocation.NextToken, err
	})
}

// How WaitInvocation asks: often at first, so that a short command is seen at once.
const (
	firstPoll = 5 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	patience  = 30 * time.Second // with a server that does not answer
)

// pause is how long to wait before asking again: a tenth of the time that was waited, so that an end
// is seen little later than it is there, but not so short that most of the time somebody works on
// the answer.
func pause(waited, took time.Duration) time.Duration {
	return min(max(waited/10, 2*took, firstPoll), lastPoll)
}

// large is the least number of instances from which on an invocation is asked for with one of them
// only while it goes on: its status is that of all (rule AG-6), and a thousand rows are much to read
// twice in a second.
const large = 1000

// WaitInvocation waits until the invocation has ended on every instance and returns it. Poll, when
// not nil, is told of each state that is seen, the last one too; in those between the first and the last
// a large invocation has one of its instances. A server that is away for a while, as when it restarts,
// does not end the wait.
func (c *Client) WaitInvocation(ctx context.Context, invokeID string, poll func(*Invocation)) (*Invocation, error) {
	start := time.Now()
	instance := "" // to ask with
	for heard := start; ; {
		asked := time.Now()
		inv, err := c.invocation(ctx, invokeID, instance)
		if err == nil && inv.Ended() && instance != "" {
			inv, err = c.invocation(ctx, invokeID, "")
		}
		switch {
		case err == nil:
			heard = time.Now()
			if list := inv.InvokeInstances.InvokeInstance; len(list) >= large {
				instance = list[0].InstanceId
			}
			if poll != nil {
				poll(inv)
			}
			if inv.Ended() {
				return inv, nil
			}
		case ctx.Err() != nil || !transient(err) || time.Since(heard) > patience:
			return nil, err
		}
		if err := sleep(ctx, pause(time.Since(start), time.Since(asked))); err != nil {
			return inv, fmt.Errorf("wait for %s: %w", invokeID, err)
		}
	}
}

func (c *Client) invocation(ctx context.Context, id, instance string) (*Invocation, error) {
	resp, err := c.DescribeInvocations(ctx, DescribeInvocationsRequest{InvokeId: id, InstanceId: instance})
	if err != nil {
		return nil, err
	}
	if len(resp.Invocations.Invocation) != 1 {
		return nil, &Error{Status: 404, Code: "InvalidInvokeId.NotFound", Message: "there is no invocation " + id, RequestID: resp.RequestId}
	}
	return &resp.Invocations.Invocation[0], nil
}
