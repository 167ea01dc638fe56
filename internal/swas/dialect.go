// Package swas is the dialect SWAS-OPEN 2020-06-01: a table of actions, their requests and answers,
// and a table of codes, over the engine and the fleet. Its handlers translate and decide nothing.
//
// It knows the machines of ECS by other names, and nothing of the commands and invocations made
// there (rules ID-4, SW-3). Where the published text and Orderly differ, docs/deviations.md says how
// and why.
package swas

import (
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
	Endpoint func(region string) string // what ListRegions tells clients; nil tells nothing

	// Bytes of a content in Base64, with its parameters (SZ-1); 0 for the published numbers.
	RunContent    int // 16 KB; of RunCommand
	InvokeContent int // 18 KB; of InvokeCommand
}

// A Dialect answers the operations of SWAS. It is safe for concurrent use.
type Dialect struct {
	cfg    Config
	engine *engine.Engine
	fleet  *fleet.Fleet
	tokens rpc.TokenKey
}

// New makes a Dialect.
func New(cfg Config) *Dialect {
	if cfg.Endpoint == nil {
		cfg.Endpoint = func(string) string { return "" }
	}
	if cfg.RunContent == 0 {
		cfg.RunContent = 16 << 10
	}
	if cfg.InvokeContent == 0 {
		cfg.InvokeContent = 18 << 10
	}
	return &Dialect{cfg: cfg, engine: cfg.Engine, fleet: cfg.Fleet, tokens: cfg.TokenKey}
}

// API is the dialect as an rpc.Handler serves it.
func (d *Dialect) API() rpc.API {
	return rpc.API{
		Product: "SWAS-OPEN",
		Version: "2020-06-01",
		Realm:   "swas",
		Actions: d.actions(),
		Codes:   codes,
		Check:   d.checkRegion,
		Form:    func(params map[string]string) error { return rpc.CheckTexts(params, checkedLater) },
	}
}

func (d *Dialect) actions() []rpc.Action {
	return []rpc.Action{
		rpc.Change("CreateCommand", d.createCommand),
		rpc.Handle("DescribeCommands", d.describeCommands),
		rpc.Change("UpdateCommandAttribute", d.updateCommandAttribute),
		rpc.Change("DeleteCommand", d.deleteCommand),

		rpc.Change("RunCommand", d.runCommand),
		rpc.Change("InvokeCommand", d.invokeCommand),
		rpc.Handle("DescribeCommandInvocations", d.describeCommandInvocations),
		rpc.Handle("DescribeInvocations", d.describeInvocations),
		rpc.Handle("DescribeInvocationResult", d.describeInvocationResult),

		rpc.Change("InstallCloudAssistant", d.installCloudAssistant),
		rpc.Handle("DescribeCloudAssistantStatus", d.describeCloudAssistantStatus),
		rpc.Handle("DescribeCloudAssistantAttributes", d.describeCloudAssistantAttributes),

		rpc.Handle("ListInstances", d.listInstances),
		rpc.Handle("ListInstanceStatus", d.listInstanceStatus),
		rpc.Handle("ListRegions", d.listRegions),

		rpc.Change("TagResources", d.tagResources),
		rpc.Change("UntagResources", d.untagResources),
		rpc.Handle("ListTagResources", d.listTagResources),

		rpc.Change("StartTerminalSession", d.startTerminalSession),
		rpc.Change("LoginInstance", d.loginInstance),
		rpc.Handle("DescribeInstanceVncUrl", d.describeInstanceVncURL),
	}
}

// checkRegion refuses a region that does not exist (ERR-1: before the required parameters, of
// which it is one), but from ListRegions, which takes none though clients may send theirs.
func (d *Dialect) checkRegion(_ orderly.Caller, action string, params map[string]string) error {
	if region := params["RegionId"]; region != "" && action != "ListRegions" {
		return d.engine.CheckRegion(region)
	}
	return nil
}

// checkedLater names the parameters whose own rules refuse text that no database stores, with codes
// of their own.
var checkedLater = map[string]bool{
	"ClientToken": true, "CommandContent": true, "Description": true, "Name": true, "NextToken": true, "Parameters": true,
	"Tag": true, "TagKey": true, "WorkingDir": true,
}

// paging is how a request asks for a part of a list: as text in some operations, as numbers in
// others, which look the same.
type paging struct{ PageNumber, PageSize string }

// paged is how an answer tells which part it holds.
type paged struct{ TotalCount, PageNumber, PageSize int }

// cursor reads which page, of at most limit rows, is asked for.
func (d *Dialect) cursor(p paging, limit int) (rpc.Cursor, error) {
	return d.tokens.Cursor(rpc.Paging{PageNumber: p.PageNumber, PageSize: p.PageSize}, rpc.Scope{}, limit)
}

// cut takes the rows that are shown and tells where they stand; total is how many there are in all.
func cut[T any](c rpc.Cursor, rows []T, total int) ([]T, paged) {
	rows, at := rpc.Cut(c, rows, total, func(T) orderly.Place { return orderly.Place{} }) // nothing goes on by token
	return rows, paged{at.TotalCount, at.PageNumber, at.PageSize}
}

// An emptyResponse holds nothing but the RequestId that every answer has.
type emptyResponse struct{}
