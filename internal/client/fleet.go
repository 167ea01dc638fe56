package client

import (
	"context"
	"crypto/rand"
	"errors"
)

// maxResults is the longest page there is.
const maxResults = 50

// all reads every page, from the one that token names.
func all[T any](token string, page func(token string) (items []T, next string, err error)) ([]T, error) {
	var items []T
	for {
		more, next, err := page(token)
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
		if next == "" {
			return items, nil
		}
		if next == token {
			return nil, errors.New("the server gives the same page again")
		}
		token = next
	}
}

// A DescribeManagedInstancesRequest selects machines; all that is given must match.
type DescribeManagedInstancesRequest struct {
	RegionId     string
	InstanceId   []string
	InstanceName string
	InstanceIp   string
	ActivationId string
	OsType       string
	Connected    string // "true", "false" or "" for both
	Tag          []Tag
	MaxResults   int    // of one page; 0 for the most that are allowed
	NextToken    string // where to begin; "" for the first page
}

// A ManagedInstance is one machine.
type ManagedInstance struct {
	InstanceId, InstanceName, Hostname, MachineId string
	IntranetIp, InternetIp                        string
	OsType, OsVersion, AgentVersion               string
	ActivationId, ResourceGroupId                 string
	RegistrationTime, LastInvokedTime             string // UTC, "" for never
	InvocationCount                               int64
	Connected                                     bool
	Tags                                          []struct{ TagKey, TagValue string }
}

// DescribeManagedInstances returns the machines of all pages.
func (c *Client) DescribeManagedInstances(ctx context.Context, req DescribeManagedInstancesRequest) ([]ManagedInstance, error) {
	if req.MaxResults == 0 {
		req.MaxResults = maxResults
	}
	return all(req.NextToken, func(token string) ([]ManagedInstance, string, error) {
		var resp struct {
			NextToken string
			Instances []ManagedInstance
		}
		req.NextToken = token
		err := c.Call(ctx, "DescribeManagedInstances", req, &resp)
		return resp.Instances, resp.NextToken, err
	})
}

// A CreateActivationRequest asks for a code that lets machines register.
type CreateActivationRequest struct {
	RegionId          string
	Description       string
	InstanceName      string // prefix of the machines' names
	InstanceCount     int    // how many may register
	TimeToLiveInHours int64
	IpAddressRange    string
	Tag               []Tag
	ClientToken       string // empty for one made up for this call, so that it may be repeated
}

// A CreateActivationResponse holds the code, which is shown this once.
type CreateActivationResponse struct{ RequestId, ActivationId, ActivationCode string }

// CreateActivation makes an activation.
func (c *Client) CreateActivation(ctx context.Context, req CreateActivationRequest) (resp CreateActivationResponse, err error) {
	if req.ClientToken == "" {
		req.ClientToken = rand.Text()
	}
	err = c.Call(ctx, "CreateActivation", req, &resp)
	return resp, err
}
