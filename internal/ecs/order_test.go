package ecs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
)

// A fault is one thing that is wrong with a request, and how that is refused when nothing goes first.
// A value of "-" takes a parameter away; "secret" and "key" are what it is signed with.
type fault struct {
	pairs  values
	status int
	code   string
}

// The stages of ERR-1, whose faults are told of in this order.
const (
	atSignature = iota
	atRights
	atRegion
	atRequired
	atForm
	atExistence
	atApplicability
	atQuota
	stages
)

// faulty are requests that are right, and what may be wrong with them, by stage.
type faulty struct {
	action string
	right  values
	faults [stages][]fault
}

// anywhere adds the faults that every operation has.
func (f *faulty) anywhere() {
	f.faults[atSignature] = []fault{{values{"secret": "guessed"}, 400, "SignatureDoesNotMatch"}}
	f.faults[atRights] = []fault{{values{"key": other}, 403, "Forbidden.RAM"}}
	f.faults[atRegion] = []fault{{values{"RegionId": "mars"}, 404, "InvalidRegionId.NotFound"}}
	f.faults[atRequired] = append(f.faults[atRequired], fault{values{"RegionId": "-"}, 400, "MissingParameter.RegionId"})
}

// runForms are forms that RunCommand and InvokeCommand refuse.
var runForms = []fault{
	{values{"Timeout": "soon"}, 400, "InvalidParameter.Timeout"},
	{values{"Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit"},
	{values{"Username": "\x00"}, 400, "InvalidParameter.Username"},
	{values{"Username": long(256)}, 403, "Username.ExceedLimit"},
	{values{"WindowsPasswordName": long(256)}, 403, "WindowsPasswordName.ExceedLimit"},
	{values{"WorkingDir": long(201)}, 400, "InvalidParameter.WorkingDir"},
	{values{"Launcher": long(1025)}, 403, "InvalidLauncher.LengthLimitExceeded"},
	{values{"Parameters": "[]"}, 400, "InvalidParameter.Parameters"},
	{values{"Parameters": `{"p0":[]}`}, 403, "ParameterType.NotSupported"},
	{values{"Tag.1.Value": "v"}, 400, "MissingParameter.TagKey"},
	{values{"ResourceTag.1.Key": "k"}, 400, "InvalidResourceTag.ConflictWithInstanceIds"},
	{values{"DeliveryTimeout": "1"}, 400, "InvalidParameter.DeliveryTimeout"},
	{values{"TerminationMode": "x"}, 404, "InvalidTerminationMode.NotFound"},
	{values{"RepeatMode": "x"}, 404, "InvalidRepeatMode.NotFound"},
	{values{"ContainerName": "-x"}, 400, "InvalidContainerName.Malformed"},
	{values{"ClientToken": "é"}, 400, "InvalidClientToken.Malformed"},
}

// runAbsent are things that RunCommand and InvokeCommand may name and that do not exist.
var runAbsent = []fault{
	{values{"InstanceId.2": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{values{"ResourceGroupId": "group"}, 404, "InvalidResourceGroup.NotFound"},
	{values{"ResourceGroupId": "rg-other"}, 404, "InvalidResourceGroup.NotFound"},
}

var misfit = fault{values{"InstanceId.3": "{windows}"}, 400, "InvalidInstance.NotMatch"}

// faultyNew is a RunCommand, whose own content shows early what InvokeCommand's stored one shows late.
func faultyNew() (f faulty) {
	f.action, f.right = "RunCommand", newScript
	f.faults[atRequired] = []fault{
		{values{"Type": "-"}, 400, "MissingParameter.Type"},
		{values{"CommandContent": "-"}, 400, "MissingParameter.CommandContent"},
		{values{"InstanceId.1": "-"}, 400, "MissingParam.InstanceId"},
		{values{"RepeatMode": "Period"}, 400, "MissingParam.Frequency"},
	}
	f.faults[atForm] = append([]fault{
		{values{"Type": "x"}, 404, "InvalidCmdType.NotFound"},
		{values{"Name": long(129)}, 403, "CmdName.ExceedLimit"},
		{values{"Description": "\x01"}, 403, "InvalidParameterCharacter.CommandDescription"},
		{values{"KeepCommand": "yes"}, 400, "InvalidParameter.KeepCommand"},
		{values{"CommandContent": "{{}}"}, 400, "CmdParam.EmptyKey"},
		{values{"CommandContent": long(18433)}, 403, "CmdContent.ExceedLimit"},
		{values{"Parameters": `{"moon":"x"}`}, 403, "Parameter.NotMatched"},
		{values{"EnableParameter": "false", "Parameters": `{"p0":"x"}`}, 400, "Parameter.Disabled"},
		{values{"Type": "RunBatScript", "Username": "ann"}, 403, "WindowsPasswordName.Missed"},
	}, runForms...)
	f.faults[atExistence] = runAbsent
	f.faults[atApplicability] = []fault{misfit, {values{"Type": "RunBatScript"}, 400, "InvalidInstance.NotMatch"}}
	f.faults[atQuota] = []fault{{nil, 403, "Invocation.ExceedQuota"}, {values{"KeepCommand": "true"}, 403, "CmdCount.ExceedQuota"}}
	return f
}

func faultyStored() (f faulty) {
	f.action, f.right = "InvokeCommand", storedScript
	f.faults[atRequired] = []fault{
		{values{"CommandId": "-"}, 400, "MissingParameter.CommandId"},
		{values{"InstanceId.1": "-"}, 400, "MissingParam.InstanceId"},
		{values{"RepeatMode": "Period"}, 400, "MissingParam.Frequency"},
	}
	f.faults[atForm] = runForms
	f.faults[atExistence] = append([]fault{{values{"CommandId": "c-unknown"}, 404, "InvalidCmdId.NotFound"}}, runAbsent...)
	f.faults[atApplicability] = []fault{
		misfit,
		{values{"CommandId": "{plain}", "Parameters": `{"p0":"x"}`}, 400, "Parameter.Disabled"},
		{values{"Parameters": `{"moon":"x"}`}, 403, "Parameter.NotMatched"},
		{values{"Parameters": `{"p0":"` + long(18433) + `"}`}, 403, "CmdContent.ExceedLimit"},
	}
	f.faults[atQuota] = []fault{{nil, 403, "Invocation.ExceedQuota"}}
	return f
}

func faultyStop() (f faulty) {
	f.action, f.right = "StopInvocation", values{"InvokeId": "{task}", "InstanceId.1": "{linux}"}
	f.faults[atRequired] = []fault{{values{"InvokeId": "-"}, 400, "MissingParameter.InvokeId"}}
	f.faults[atForm] = []fault{
		{values{"InstanceId.2": "\xff"}, 400, "InvalidParameter.InstanceId"},
		{values{}.with(many("InstanceId", 51, "")...), 403, "InstanceIds.ExceedLimit"},
	}
	f.faults[atExistence] = []fault{
		{values{"InvokeId": "t-unknown"}, 404, "InvalidInvokeId.NotFound"},
		{values{"InstanceId.3": "mi-unknown"}, 404, "InvalidInstanceId.NotFound"},
	}
	return f
}

// faultyRead is a request to read that asks for what needs an InvokeId.
func faultyRead(action, needy string) (f faulty) {
	f.action = action
	f.faults[atRequired] = []fault{{values{needy: "true"}, 400, "MissingParameter.InvokeId"}}
	f.faults[atForm] = []fault{
		{values{"CommandId": "\x00"}, 400, "InvalidParameter.CommandId"},
		{values{"Tag.1.Key": "acs:x"}, 400, "InvalidTagKey.Malformed"},
		{values{"PageSize": "0"}, 400, "InvalidParam.PageSize"},
		{values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	}
	return f
}

// together is a request with two faults, and false when those are about the same parameters.
func (f *faulty) together(one, two fault) (values, bool) {
	untargeted := one.pairs["InstanceId.1"] == "-"
	for name := range two.pairs {
		if _, both := one.pairs[name]; both || untargeted && (strings.HasPrefix(name, "InstanceId") || strings.HasPrefix(name, "ResourceTag")) {
			return nil, false
		}
	}
	v := values{}
	for _, part := range []values{f.right, one.pairs, two.pairs} {
		maps.Copy(v, part)
	}
	return v, true
}

// ask makes a request with the key and the secret that it names, without the parameters that are "-".
func (h *house) ask(action string, v values) (status int, code string) {
	h.t.Helper()
	g, secret := h, "secret"
	if v["secret"] != "" {
		secret = v["secret"]
	}
	if v["key"] != "" {
		g = h.as(v["key"])
	}
	asked := v.with()
	maps.DeleteFunc(asked, func(name, value string) bool { return name == "secret" || name == "key" || value == "-" })
	if v["RegionId"] == "-" {
		asked["RegionId"] = "" // without one it would get the usual one
	}
	a := g.sendSigned(action, "JSON", asked, secret)
	var e struct{ Code string }
	must(h.t, json.Unmarshal(a.body, &e))
	return a.status, e.Code
}

// ERR-1: of two faults the one of the earlier stage is told of, and nothing is stored.
func TestOrderOfChecks(t *testing.T) {
	deny := func(_ context.Context, c orderly.Caller, _, _ string) error {
		if c.KeyID == other {
			return rpc.Forbidden
		}
		return nil
	}
	used := setting{engine: engine.Config{CommandQuota: 4, DailyQuota: 4}, authorize: deny}
	eachWith(t, used, func(t *testing.T, h *house) {
		names := h.furnish()
		before := h.inventory()
		for _, f := range []faulty{faultyNew(), faultyStored(), faultyFile(), faultyStop(), faultyRead("DescribeInvocations", "IncludeOutput"), faultyRead("DescribeInvocationResults", "IncludeHistory")} {
			f.anywhere()
			for stage, list := range f.faults {
				for _, one := range list {
					h.checkOrder(&f, one, fault{}, names)
					for _, later := range f.faults[stage+1:] {
						for _, two := range later {
							h.checkOrder(&f, one, two, names)
						}
					}
				}
			}
		}
		if after := h.inventory(); after != before {
			t.Errorf("after refusals there are %s, before %s", after, before)
		}
	})
}

// checkOrder makes a request with two faults, of which the first must be told of.
func (h *house) checkOrder(f *faulty, one, two fault, names *strings.Replacer) {
	h.t.Helper()
	v, ok := f.together(one, two)
	if !ok {
		return
	}
	for name, value := range v {
		v[name] = names.Replace(value)
	}
	if status, code := h.ask(f.action, v); status != one.status || code != one.code {
		h.t.Errorf("%s with %s and %s: %d %s, want the first", f.action, one, two, status, code)
	}
}

func (f fault) String() string { return fmt.Sprintf("%s %.80q", f.code, fmt.Sprint(f.pairs)) }
