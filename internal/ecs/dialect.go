// Package ecs is the dialect ECS 2014-05-26: a table of actions, their requests and answers, and a
// table of codes, over the engine and the fleet. Its handlers translate and decide nothing.
//
// Where the published text and Orderly differ, docs/deviations.md says how and why.
package ecs

import (
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/rpc"
)

// Config is what a Dialect needs.
type Config struct {
	Engine   *engine.Engine
	Fleet    *fleet.Fleet
	TokenKey []byte                     // 32 bytes that only servers of one database know; see rpc.TokenKey
	Endpoint func(region string) string // what DescribeRegions tells clients; nil tells nothing
}

// A Dialect answers the operations of ECS. It is safe for concurrent use.
type Dialect struct {
	engine   *engine.Engine
	fleet    *fleet.Fleet
	tokens   rpc.TokenKey
	endpoint func(region string) string
}

// New makes a Dialect.
func New(cfg Config) *Dialect {
	d := &Dialect{engine: cfg.Engine, fleet: cfg.Fleet, tokens: cfg.TokenKey, endpoint: cfg.Endpoint}
	if d.endpoint == nil {
		d.endpoint = func(string) string { return "" }
	}
	return d
}

// API is the dialect as an rpc.Handler serves it.
func (d *Dialect) API() rpc.API {
	return rpc.API{
		Product:  "Ecs",
		Version:  "2014-05-26",
		Actions:  d.actions(),
		Codes:    codes,
		Internal: rpc.Code{Status: http.StatusInternalServerError, Code: "InternalError.Dispatch", Message: "An error occurred when you dispatched the request."},
		InternalOf: map[string]rpc.Code{ // those of the newer style
			"ModifyInvocationAttribute": {Status: http.StatusInternalServerError, Code: "InternalError", Message: "The request processing has failed due to some unknown error."},
		},
		Check: d.checkRegion,
		Form:  func(params map[string]string) error { return rpc.CheckTexts(params, checkedLater) },
	}
}

func (d *Dialect) actions() []rpc.Action {
	return []rpc.Action{
		rpc.Change("CreateActivation", d.createActivation),
		rpc.Handle("DescribeActivations", d.describeActivations),
		rpc.Change("DisableActivation", d.disableActivation),
		rpc.Change("DeleteActivation", d.deleteActivation),

		rpc.Handle("DescribeManagedInstances", d.describeManagedInstances),
		rpc.Change("ModifyManagedInstance", d.modifyManagedInstance),
		rpc.Change("DeregisterManagedInstance", d.deregisterManagedInstance),
		rpc.Handle("DescribeCloudAssistantStatus", d.describeCloudAssistantStatus),

		rpc.Change("CreateCommand", d.createCommand),
		rpc.Handle("DescribeCommands", d.describeCommands),
		rpc.Change("ModifyCommand", d.modifyCommand),
		rpc.Change("DeleteCommand", d.deleteCommand),

		rpc.Change("RunCommand", d.runCommand),
		rpc.Change("InvokeCommand", d.invokeCommand),
		rpc.Change("StopInvocation", d.stopInvocation),
		rpc.Change("ModifyInvocationAttribute", d.modifyInvocationAttribute),
		rpc.Handle("DescribeInvocations", d.describeInvocations),
		rpc.Handle("DescribeInvocationResults", d.describeInvocationResults),
		rpc.Handle("DescribeLateResults", d.describeLateResults),

		rpc.Change("SendFile", d.sendFile),
		rpc.Handle("DescribeSendFileResults", d.describeSendFileResults),

		rpc.Change("TagResources", d.tagResources),
		rpc.Change("UntagResources", d.untagResources),
		rpc.Handle("ListTagResources", d.listTagResources),

		rpc.Handle("DescribeInstances", d.describeInstances),
		rpc.Handle("DescribeInstanceStatus", d.describeInstanceStatus),
		rpc.Handle(describeRegions, d.describeRegions),
	}
}

// checkRegion refuses a region that does not exist (ERR-1: before the required parameters, of
// which it is one).
//
// DescribeRegions takes no region, but clients with a region of their own send it with every
// request of theirs, also with the one that asks which there are.
func (d *Dialect) checkRegion(_ orderly.Caller, action string, params map[string]string) error {
	if region := params["RegionId"]; region != "" && action != describeRegions {
		return d.engine.CheckRegion(region)
	}
	return nil
}

// checkedLater names the parameters whose own rules refuse such text, with codes of their own.
var checkedLater = map[string]bool{
	"ClientToken": true, "CommandContent": true, "ContentType": true, "Description": true, "FileMode": true, "InstanceName": true, "Name": true,
	"NextToken": true, "Parameters": true, "ResourceTag": true, "Tag": true, "TagKey": true, "TargetDir": true, "WorkingDir": true,
}

// cursor reads which page of a list is asked for; tokens go with the scope.
func (d *Dialect) cursor(p rpc.Paging, s rpc.Scope) (rpc.Cursor, error) {
	return d.tokens.Cursor(p, s, rpc.MaxSize)
}
