package e2e_test

import (
	"fmt"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

// secondForms are the forms of request that clients of the second dialect send, and what the generic
// ones need to know to be one.
var secondForms = []struct{ name, version string }{
	{"swas-v3", ""}, {"swas-v1", ""}, {"pop-core-get", "2020-06-01"}, {"pop-core-post", "2020-06-01"},
}

// Every operation of the second dialect, by each of the vendor's Node clients for it, on real agents, with
// every value of the answers.
func TestNodeClientsSpeakTheSecondDialect(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{})
	s.Agents("one", "two")
	for _, form := range secondForms {
		t.Run(form.name, func(t *testing.T) {
			var env []string
			if form.version != "" {
				env = []string{"VERSION=" + form.version}
			}
			c := &nodeSecond{nodeClient: openNode(t, form.name, s, env...)}
			c.lists()
			c.commands()
			c.invoke()
			c.run()
			c.tags()
			c.refusals()
		})
	}
}

// A nodeSecond is a client of the second dialect with what it has found and made.
type nodeSecond struct {
	*nodeClient
	machines []any
	command  any
}

// do calls an operation, which must succeed, in the usual region.
func (c *nodeSecond) do(action string, params object) object {
	c.Helper()
	q := object{"RegionId": stage.Region}
	for name, value := range params {
		q[name] = value
	}
	return c.call(action, q)
}

func listOf(size int, name string, rows ...any) object {
	return object{"TotalCount": float64(len(rows)), "PageNumber": 1.0, "PageSize": float64(size), name: rows}
}

func (c *nodeSecond) lists() {
	c.Helper()
	for _, name := range []string{"one", "two"} {
		list := c.do("ListInstances", object{"InstanceName": name, "PageSize": 100})
		rows, _ := list["Instances"].([]any)
		if len(rows) != 1 {
			c.Fatalf("machines named %s: %v", name, list)
		}
		id := rows[0].(object)["InstanceId"]
		if !machineName.MatchString(fmt.Sprint(id)) {
			c.Errorf("%s is %v", name, id)
		}
		c.machines = append(c.machines, id)
		check(c, "ListInstances", list, listOf(100, "Instances", object{
			"InstanceId": id, "InstanceName": name, "Status": "Running", "BusinessStatus": "Normal", "RegionId": stage.Region, "CreationTime": anyTime, "ExpiredTime": "",
			"ChargeType": "PrePaid", "PlanId": "", "ImageId": "", "InnerIpAddress": "127.0.0.1", "PublicIpAddress": "127.0.0.1", "ResourceGroupId": "", "Uuid": "", "Tags": []any{},
			"Image": object{"ImageName": systemName(c), "ImageVersion": "", "ImageType": "", "ImageIconUrl": "", "ImageContact": "", "OsType": "Linux"},
		}))
	}
	status := func(of int) any { return object{"InstanceId": c.machines[of], "Status": "Running"} }
	check(c, "ListInstanceStatus", c.do("ListInstanceStatus", object{"InstanceIds": c.text(c.machines...)}), listOf(10, "InstanceStatuses", status(1), status(0)))
	up := func(of int) any { return object{"InstanceId": c.machines[of], "Status": true} }
	check(c, "DescribeCloudAssistantStatus", c.do("DescribeCloudAssistantStatus", object{"InstanceIds": c.machines, "PageSize": 20}), listOf(20, "CloudAssistantStatus", up(1), up(0)))
	attributes := c.do("DescribeCloudAssistantAttributes", object{"InstanceIds": c.machines[:1]})["CloudAssistant"].([]any)[0].(object)
	for _, counted := range []string{"InvocationCount", "LastInvokedTime"} { // of the clients before this one
		if attributes[counted] == nil {
			c.Errorf("DescribeCloudAssistantAttributes has no %s", counted)
		}
		delete(attributes, counted)
	}
	check(c, "DescribeCloudAssistantAttributes", attributes, object{
		"InstanceId": c.machines[0], "CloudAssistantStatus": "true", "CloudAssistantVersion": anyValue, "OSType": "Linux",
		"LastHeartbeatTime": anyTime, "ActiveTaskCount": 0.0, "SupportSessionManager": false,
	})
	check(c, "InstallCloudAssistant", c.do("InstallCloudAssistant", object{"InstanceIds": c.machines}), object{})
	check(c, "ListRegions", c.do("ListRegions", object{"AcceptLanguage": "zh-CN"}), object{
		"Regions": []any{object{"RegionId": stage.Region, "LocalName": stage.Region, "RegionEndpoint": c.Server.Host()}},
	})
}

// text is a list as one JSON text, which clients leave to their callers in places.
func (c *nodeSecond) text(list ...any) string {
	c.Helper()
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return jsonList(c, texts...)
}

func (c *nodeSecond) commands() {
	c.Helper()
	made := c.do("CreateCommand", object{
		"Name": "é & *~", "Type": "RunShellScript", "CommandContent": hardScript, "EnableParameter": true, "Description": "<d>", "WorkingDir": "/", "Timeout": 30,
		"Tag": []object{{"Key": "k 1", "Value": "v*~"}},
	})
	check(c, "CreateCommand", made, object{"CommandId": anyID})
	c.command = made["CommandId"]
	check(c, "UpdateCommandAttribute", c.do("UpdateCommandAttribute", object{"CommandId": c.command, "Name": "changed <é>", "Timeout": 20, "WorkingDir": "/tmp"}), object{})
	check(c, "DescribeCommands", c.do("DescribeCommands", object{"Provider": "User", "CommandId": c.command, "PageNumber": "1", "PageSize": "50"}), listOf(50, "Commands", object{
		"CommandId": c.command, "Name": "changed <é>", "Description": "<d>", "Type": "RunShellScript", "CommandContent": hardScript, "WorkingDir": "/tmp", "Timeout": 20.0,
		"EnableParameter": true, "ParameterNames": []any{"what"}, "ParameterDefinitions": []any{}, "Provider": "User", "ResourceGroupId": "", "CreationTime": anyTime,
		"Tags": []any{object{"Key": "k 1", "Value": "v*~"}},
	}))
}

// shown waits until an invocation has ended, and returns it.
func (c *nodeSecond) shown(id any) (v object) {
	c.Helper()
	stage.Await(c.T, stage.Patience, fmt.Sprintf("%v has ended", id), func() error {
		list, _ := c.do("DescribeCommandInvocations", object{"InvokeId": id, "PageNumber": "1", "PageSize": "10"})["CommandInvocations"].([]any)
		if len(list) != 1 {
			return fmt.Errorf("%d invocations", len(list))
		}
		if v = list[0].(object); v["InvocationStatus"] == "Pending" || v["InvocationStatus"] == "Running" {
			return fmt.Errorf("it is %v", v["InvocationStatus"])
		}
		return nil
	})
	return v
}

// invoke runs the hard script on both machines, of which one succeeds.
func (c *nodeSecond) invoke() {
	c.Helper()
	began := c.do("InvokeCommand", object{"CommandId": c.command, "InstanceIds": c.text(c.machines...), "Parameters": object{"what": "Jack & Jill+*~"}})
	check(c, "InvokeCommand", began, object{"InvokeId": anyID})
	output := func(name string) string { return "a b*~+%&=é/?# Jack & Jill+*~\n<" + name + ">\n" }
	on := func(of int, more object) any {
		row := object{"InstanceId": c.machines[of], "StartTime": anyTime, "FinishTime": anyTime}
		for name, value := range more {
			row[name] = value
		}
		return row
	}
	check(c, "DescribeCommandInvocations", c.shown(began["InvokeId"]), object{
		"InvokeId": began["InvokeId"], "CreationTime": anyTime, "CommandId": c.command, "InvocationStatus": "PartialFailed", "CommandName": "changed <é>",
		"CommandType": "RunShellScript", "CommandDescription": "<d>", "Username": "", "WorkingDir": "/tmp", "Timeout": 20.0, "CommandContent": hardScript,
		"Parameters": `{"what":"Jack & Jill+*~"}`, "InvokeInstances": []any{
			on(0, object{"InvocationStatus": "Success", "Output": output("one"), "ExitCode": 0.0, "ErrorCode": "", "ErrorInfo": ""}),
			on(1, object{"InvocationStatus": "Failed", "Output": output("two"), "ExitCode": 1.0, "ErrorCode": "ExitCodeNonzero", "ErrorInfo": "the command execution exit code is not zero"}),
		},
	})
	check(c, "DescribeInvocationResult", c.do("DescribeInvocationResult", object{"InvokeId": began["InvokeId"], "InstanceId": c.machines[1]}), object{"InvocationResult": object{
		"InvokeId": began["InvokeId"], "InstanceId": c.machines[1], "InvocationStatus": "Failed", "InvokeRecordStatus": "Finished", "InvokeUser": "", "StartTime": anyTime,
		"FinishedTime": anyTime, "ExitCode": 1.0, "Output": base64Of(output("two")), "ErrorCode": "ExitCodeNonzero", "ErrorInfo": "the command execution exit code is not zero",
	}})
	list := c.do("DescribeInvocations", object{"InstanceId": c.machines[1], "InvokeStatus": "Finished", "PageNumber": 1, "PageSize": 1})
	check(c, "DescribeInvocations", list["Invocations"].([]any)[0].(object), object{
		"InvokeId": began["InvokeId"], "CreationTime": anyTime, "CommandName": "changed <é>", "CommandType": "RunShellScript", "CommandContent": base64Of(hardScript),
		"Parameters": object{"what": "Jack & Jill+*~"}, "InvocationStatus": "Failed", "InvokeStatus": "Finished",
	})
}

func (c *nodeSecond) run() {
	c.Helper()
	began := c.do("RunCommand", object{
		"InstanceId": c.machines[0], "Name": "once", "Type": "RunShellScript", "CommandContent": "pwd; echo {{a}}", "EnableParameter": true, "Parameters": object{"a": "b"},
		"WorkingDir": "/tmp", "Timeout": 30, "WorkingUser": account(c).Username,
	})
	check(c, "RunCommand", began, object{"InvokeId": anyID})
	v := c.shown(began["InvokeId"])
	check(c, "a run", v["InvokeInstances"].([]any)[0].(object)["Output"], any("/tmp\nb\n"))
	check(c, "its state", v["InvocationStatus"], any("Success"))
	check(c, "its user", v["Username"], any(account(c).Username))
}

func (c *nodeSecond) tags() {
	c.Helper()
	for kind, id := range map[string]any{"instance": c.machines[0], "command": c.command} {
		one := object{"ResourceType": kind, "ResourceId": []any{id}}
		with := func(more object) object {
			for name, value := range one {
				more[name] = value
			}
			return more
		}
		check(c, "UntagResources", c.do("UntagResources", with(object{"All": true})), object{})
		check(c, "TagResources", c.do("TagResources", with(object{"Tag": []object{{"Key": "n *~", "Value": "Jack & <é>"}}, "ClientToken": "t"})), object{})
		check(c, "ListTagResources", c.do("ListTagResources", with(object{})), object{"NextToken": "", "TagResources": object{"TagResource": []any{
			object{"ResourceId": id, "ResourceType": kind, "TagKey": "n *~", "TagValue": "Jack & <é>"},
		}}})
		check(c, "UntagResources", c.do("UntagResources", with(object{"TagKey": []string{"n *~"}})), object{})
	}
}

func (c *nodeSecond) refusals() {
	c.Helper()
	check(c, "DeleteCommand", c.do("DeleteCommand", object{"CommandId": c.command}), object{})
	for _, r := range []struct {
		action string
		params object
		code   string
	}{
		{"DeleteCommand", object{"CommandId": c.command}, "InvalidCmdId.NotFound"},
		{"DescribeCommands", object{"Provider": "Nobody"}, "InvalidParameter.Provider"},
		{"DescribeCommandInvocations", object{"PageSize": "51"}, "InvalidParam.PageSize"},
		{"StartTerminalSession", object{"InstanceId": c.machines[0]}, "RegionId.ApiNotSupported"},
		{"LoginInstance", object{"InstanceId": c.machines[0]}, "RegionId.ApiNotSupported"},
		{"DescribeInstanceVncUrl", object{"InstanceId": c.machines[0]}, "RegionId.ApiNotSupported"},
	} {
		r.params["RegionId"] = stage.Region
		if _, refused := c.send(r.action, r.params); refused == nil || refused.Data["Code"] != r.code {
			c.Errorf("%s: %+v, want %s", r.action, refused, r.code)
		}
	}
}
