package e2e_test

import (
	"encoding/json"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

// Each of the vendor's Node clients tags resources, finds machines as instances and changes commands, and
// reads every value of the answers.
func TestNodeClientsTagAndDescribe(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{})
	agents := s.Agents("one", "two")
	for _, form := range nodeForms {
		t.Run(form.name, func(t *testing.T) {
			c := openNode(t, form.name, s)
			c.tags(agents[0])
			c.instances(agents)
			c.commands()
		})
	}
}

func (c *nodeClient) tags(a *stage.Agent) {
	c.Helper()
	one := object{"RegionId": stage.Region, "ResourceType": "instance", "ResourceId": []string{a.ID}}
	with := func(more object) object {
		q := object{}
		for _, part := range []object{one, more} {
			for name, value := range part {
				q[name] = value
			}
		}
		return q
	}
	check(c, "TagResources", c.call("TagResources", with(object{"Tag": []object{{"Key": "k *~", "Value": "Jack & <é>"}, {"Key": "n", "Value": "1"}}})), object{})
	row := func(key, value string) any {
		return object{"ResourceId": a.ID, "ResourceType": "instance", "TagKey": key, "TagValue": value}
	}
	listed := func(rows ...any) object {
		return object{"NextToken": "", "TagResources": object{"TagResource": rows}}
	}
	check(c, "ListTagResources", c.call("ListTagResources", one), listed(row("k *~", "Jack & <é>"), row("n", "1")))
	check(c, "ListTagResources by a tag", c.call("ListTagResources", object{
		"RegionId": stage.Region, "ResourceType": "instance", "Tag": []object{{"Key": "n", "Value": "1"}},
	}), listed(row("k *~", "Jack & <é>"), row("n", "1")))
	check(c, "UntagResources", c.call("UntagResources", with(object{"TagKey": []string{"k *~"}})), object{})
	check(c, "ListTagResources after one went", c.call("ListTagResources", one), listed(row("n", "1")))
	check(c, "UntagResources", c.call("UntagResources", with(object{"All": true})), object{})
	check(c, "ListTagResources after all went", c.call("ListTagResources", one), listed([]any{}...))
	if _, refused := c.send("UntagResources", one); refused == nil || refused.Data["Code"] != "MissingParameter.Tags" {
		c.Errorf("UntagResources of nothing: %+v", refused)
	}
}

func (c *nodeClient) instances(agents []*stage.Agent) {
	c.Helper()
	shown := func(a *stage.Agent) any {
		return object{
			"InstanceId": a.ID, "InstanceName": a.Name, "Description": "", "Status": "Running", "RegionId": stage.Region, "ZoneId": "",
			"HostName": hostName(c), "OSType": "linux", "OSName": systemName(c), "OSNameEn": systemName(c), "ImageId": "", "InstanceType": "",
			"SerialNumber": "", "Cpu": 0.0, "Memory": 0.0, "CreationTime": anyTime, "StartTime": "", "ResourceGroupId": "",
			"InnerIpAddress": object{"IpAddress": []any{}}, "PublicIpAddress": object{"IpAddress": []any{"127.0.0.1"}},
			"EipAddress":    object{"AllocationId": "", "IpAddress": "", "Bandwidth": 0.0, "InternetChargeType": "", "IsSupportUnassociate": false},
			"VpcAttributes": object{"VpcId": "", "VSwitchId": "", "NatIpAddress": "", "PrivateIpAddress": object{"IpAddress": []any{"127.0.0.1"}}},
			"Tags":          object{"Tag": []any{}},
		}
	}
	page := func(size float64, list ...any) object {
		return object{"TotalCount": float64(len(list)), "PageNumber": 1.0, "PageSize": size, "NextToken": "", "Instances": object{"Instance": list}}
	}
	check(c, "DescribeInstances", c.call("DescribeInstances", object{"RegionId": stage.Region, "MaxResults": 100}), page(100, shown(agents[1]), shown(agents[0])))
	named, err := json.Marshal([]string{agents[0].ID})
	if err != nil {
		c.Fatal(err)
	}
	check(c, "DescribeInstances by ID", c.call("DescribeInstances", object{"RegionId": stage.Region, "InstanceIds": string(named), "PageSize": 50}), page(50, shown(agents[0])))
	check(c, "DescribeInstanceStatus", c.call("DescribeInstanceStatus", object{"RegionId": stage.Region, "InstanceId": *ids(agents[1:])}), object{
		"TotalCount": 1.0, "PageNumber": 1.0, "PageSize": 10.0,
		"InstanceStatuses": object{"InstanceStatus": []any{object{"InstanceId": agents[1].ID, "Status": "Running"}}},
	})
}

// commands makes a command, changes it, reads it and deletes it.
func (c *nodeClient) commands() {
	c.Helper()
	made := c.call("CreateCommand", object{
		"RegionId": stage.Region, "Name": "é & *~", "Type": "RunShellScript", "CommandContent": base64Of(hardScript), "EnableParameter": true,
		"Launcher": `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`, "Tag": []object{{"Key": "k", "Value": "v"}},
	})
	check(c, "CreateCommand", made, object{"CommandId": anyID})
	named := object{"RegionId": stage.Region, "CommandId": made["CommandId"]}
	check(c, "ModifyCommand", c.call("ModifyCommand", object{
		"RegionId": stage.Region, "CommandId": made["CommandId"], "Name": "changed <é>", "Timeout": 20, "WorkingDir": "/tmp", "Description": "d & *~",
	}), object{})
	check(c, "DescribeCommands", c.call("DescribeCommands", named), object{
		"TotalCount": 1.0, "PageNumber": 1.0, "PageSize": 10.0, "NextToken": "",
		"Commands": object{"Command": []any{object{
			"CommandId": made["CommandId"], "Name": "changed <é>", "Description": "d & *~", "Type": "RunShellScript", "CommandContent": base64Of(hardScript),
			"WorkingDir": "/tmp", "Timeout": 20.0, "EnableParameter": true, "ParameterNames": object{"ParameterName": []any{"what"}}, "InvokeTimes": 0.0,
			"Launcher": `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`, "Provider": "", "ResourceGroupId": "", "CreationTime": anyTime,
			"Tags": object{"Tag": []any{object{"TagKey": "k", "TagValue": "v"}}},
		}}},
	})
	check(c, "DeleteCommand", c.call("DeleteCommand", named), object{})
	if _, refused := c.send("DeleteCommand", named); refused == nil || refused.Data["Code"] != "InvalidCmdId.NotFound" {
		c.Errorf("DeleteCommand of what is gone: %+v", refused)
	}
}
