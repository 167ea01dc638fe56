package ecs_test

import (
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
)

// commands is an answer of DescribeCommands.
type commands struct {
	page
	Commands struct {
		Command []struct {
			CommandId, Name, CommandContent string
			InvokeTimes                     int
			ParameterNames                  struct{ ParameterName []string }
		}
	}
}

func (r commands) names() (list []string) {
	for _, c := range r.Commands.Command {
		list = append(list, c.Name)
	}
	return list
}

// DC-1, DC-2, KEEP-1, PAR-6, PAR-7.
func TestCommandFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for _, name := range []string{"deploy web", "deploy db", "restart web"} {
			call[run](h, "CreateCommand", aCommand.with("Name", name, "Description", name+"!", "Tag.1.Key", "name", "Tag.1.Value", name, "ResourceGroupId", "rg-1"))
		}
		call[run](h, "RunCommand", script(id).with("Name", "dropped"))
		kept := call[run](h, "RunCommand", script(id).with("Name", "kept", "KeepCommand", "true", "EnableParameter", "true", "CommandContent", "{{b}} {{a}} {{ACS::InstanceId}} {{B}}"))
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"KEEP-1", nil, []string{"kept", "restart web", "deploy db", "deploy web"}},
			{"DC-1", values{"Name": "deploy web"}, []string{"deploy web"}},
			{"DC-1", values{"Name": "deploy"}, nil},
			{"DC-1", values{"Name": "deploy*"}, []string{"deploy db", "deploy web"}},
			{"DC-1", values{"Name": "*web"}, []string{"restart web", "deploy web"}},
			{"DC-1", values{"Description": "*start*"}, []string{"restart web"}},
			{"DC-1", values{"CommandId": kept.CommandId}, []string{"kept"}},
			{"DC-1", values{"Type": "RunBatScript"}, nil},
			{"DC-1", values{"Type": "RunShellScript", "ResourceGroupId": "rg-1", "Latest": "true"}, []string{"restart web", "deploy db", "deploy web"}},
			{"DC-1", values{"Tag.1.Key": "name", "Tag.1.Value": "deploy db"}, []string{"deploy db"}},
			{"DC-1 public", values{"Provider": "AlibabaCloud"}, nil},
		} {
			got := call[commands](h, "DescribeCommands", c.filter)
			if !slices.Equal(got.names(), c.want) || got.TotalCount != len(c.want) {
				t.Errorf("%s %v: %v (TotalCount %d), want %v", c.rule, c.filter, got.names(), got.TotalCount, c.want)
			}
		}
		call[run](h, "InvokeCommand", values{"CommandId": kept.CommandId, "InstanceId.1": id})
		cmd := call[commands](h, "DescribeCommands", values{"CommandId": kept.CommandId}).Commands.Command[0]
		if cmd.InvokeTimes != 2 || !slices.Equal(cmd.ParameterNames.ParameterName, []string{"b", "a"}) {
			t.Errorf("kept command %+v", cmd)
		}
		h.as(other).refused("DeleteCommand", values{"CommandId": kept.CommandId}, 404, "InvalidCmdId.NotFound")
		h.as(other).refused("InvokeCommand", values{"CommandId": kept.CommandId, "InstanceId.1": id}, 404, "InvalidCmdId.NotFound")
	})
}

// MI-8, HB-1.
func TestInstanceFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		web, away := h.online(orderly.Tag{Key: "role", Value: "web"}), h.away(orderly.Windows)
		call[struct{}](h, "ModifyManagedInstance", values{"InstanceId": web, "InstanceName": "front"})
		list := call[instances](h, "DescribeManagedInstances", nil)
		if connected := []bool{list.Instances[0].Connected, list.Instances[1].Connected}; !slices.Equal(connected, []bool{false, true}) {
			t.Errorf("connected %v", connected)
		}
		for _, c := range []struct {
			filter values
			want   []string
		}{
			{nil, []string{away, web}},
			{values{"InstanceId.1": web}, []string{web}},
			{values{"InstanceId.1": web, "InstanceId.2": "mi-unknown"}, []string{web}},
			{values{"InstanceName": "front"}, []string{web}},
			{values{"InstanceIp": "10.0.0.7"}, []string{away, web}},
			{values{"InstanceIp": "203.0.113.7"}, []string{away, web}},
			{values{"InstanceIp": "10.0.0.8"}, nil},
			{values{"OsType": "windows"}, []string{away}},
			{values{"OsType": "plan9"}, nil},
			{values{"ActivationId": list.Instances[1].ActivationId}, []string{web}},
			{values{"MachineId": "machine-0001"}, []string{away, web}},
			{values{"Connected": "true"}, []string{web}},
			{values{"Connected": "false"}, []string{away}},
			{values{"ResourceGroupId": "rg-machines"}, []string{away, web}},
			{values{"ResourceGroupId": "rg-other"}, nil},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "web"}, []string{web}},
			{values{"RegionId": "cn-beijing"}, nil},
		} {
			got := call[instances](h, "DescribeManagedInstances", c.filter)
			if !slices.Equal(got.ids(), c.want) || got.TotalCount != len(c.want) {
				t.Errorf("%v: %v (TotalCount %d), want %v", c.filter, got.ids(), got.TotalCount, c.want)
			}
		}
		h.as(other).refused("ModifyManagedInstance", values{"InstanceId": web, "InstanceName": "mine"}, 404, "InvalidInstance.NotFound")
		h.as(other).refused("RunCommand", script(web), 404, "InvalidInstance.NotFound")
	})
}

// MI-3, MI-7: activations and instances end.
func TestEndOfActivationsAndInstances(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type activations struct {
			page
			ActivationList []struct {
				ActivationId                       string
				Disabled                           bool
				RegisteredCount, DeregisteredCount int
			}
		}
		id := h.online()
		invoke := call[run](h, "RunCommand", script(id)).InvokeId
		act := call[instances](h, "DescribeManagedInstances", nil).Instances[0].ActivationId
		for range 2 { // irreversible, and may be repeated
			call[struct{}](h, "DisableActivation", values{"ActivationId": act})
		}
		call[struct{}](h, "DeregisterManagedInstance", values{"InstanceId": id})
		h.refused("RunCommand", script(id), 404, "InvalidInstance.NotFound")
		h.refused("DeleteActivation", values{"ActivationId": act}, 403, "ActivationId.InUse")
		if row := h.result(values{"InvokeId": invoke}); row.InvocationStatus != "Error" || row.ErrorCode != "InstanceDeregistered" {
			t.Errorf("its task is %+v", row)
		}
		list := call[activations](h, "DescribeActivations", values{"ActivationId": act, "InstanceName": "web", "ResourceGroupId": "rg-machines"}).ActivationList
		if len(list) != 1 || !list[0].Disabled || list[0].RegisteredCount != 1 || list[0].DeregisteredCount != 1 {
			t.Errorf("activation %+v", list)
		}
		for _, filter := range []values{{"ActivationId": "x"}, {"InstanceName": "we"}, {"ResourceGroupId": "rg-1"}, {"Tag.1.Key": "x"}, {"RegionId": "cn-beijing"}} {
			if got := call[activations](h, "DescribeActivations", filter); got.TotalCount != 0 {
				t.Errorf("%v finds %+v", filter, got)
			}
		}
		h.as(other).refused("DisableActivation", values{"ActivationId": act}, 404, "ActivationId.NotFound")
	})
}

// HB-1 to HB-4, PG-8.
func TestCloudAssistantStatus(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type status struct {
			page
			InstanceCloudAssistantStatusSet struct {
				InstanceCloudAssistantStatus []struct {
					InstanceId, CloudAssistantStatus, CloudAssistantVersion, OSType, LastHeartbeatTime, LastInvokedTime string
					ActiveTaskCount, InvocationCount                                                                    int
					SupportSessionManager                                                                               bool
				}
			}
		}
		web, away := h.online(), h.away(orderly.Windows)
		h.ran(script(web), map[string]orderly.Report{web: h.ended(orderly.Success, 0, "")})
		h.ran(script(web), map[string]orderly.Report{web: {State: orderly.Running}})
		all := call[status](h, "DescribeCloudAssistantStatus", nil).InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus
		if off := all[0]; off.InstanceId != away || off.CloudAssistantStatus != "false" || off.CloudAssistantVersion != "" || off.OSType != "Windows" || off.LastInvokedTime != "" {
			t.Errorf("away: %+v", off)
		}
		if on := all[1]; on.InstanceId != web || on.CloudAssistantStatus != "true" || on.CloudAssistantVersion != "1.2.3" || on.OSType != "Linux" ||
			on.ActiveTaskCount != 1 || on.InvocationCount != 1 || on.LastHeartbeatTime == "" || on.LastInvokedTime == "" || on.SupportSessionManager {
			t.Errorf("online: %+v", on)
		}
		for _, c := range []struct {
			asked values
			want  int
		}{
			{values{"OSType": "Linux"}, 1},
			{values{"OSType": "FreeBSD"}, 0},
			{values{"OSType": "BeOS"}, 0},
			{values{"InstanceId.1": web, "InstanceId.2": away, "MaxResults": "1", "PageNumber": "x", "NextToken": "x"}, 2}, // PG-8
			{values{"InstanceId.1": web, "InstanceId.2": web}, 1},
			{values{"InstanceId.1": web, "InstanceId.2": away, "OSType": "Windows"}, 1},
		} {
			got := call[status](h, "DescribeCloudAssistantStatus", c.asked)
			if n := len(got.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus); n != c.want || got.TotalCount != c.want || got.NextToken != "" {
				t.Errorf("%v: %d (%+v), want %d", c.asked, n, got.page, c.want)
			}
		}
		h.as(other).refused("DescribeCloudAssistantStatus", values{"InstanceId.1": web}, 404, "InvalidInstance.NotFound")
	})
}

// A client with a region of its own names it in every request, also in this one.
func TestRegionsAreTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type regions struct {
			Regions struct {
				Region []struct{ RegionId, RegionEndpoint, Status string }
			}
		}
		for _, asked := range []values{nil, {"RegionId": ""}, {"RegionId": "mars"}, {"AcceptLanguage": "en-US", "ResourceType": "disk", "InstanceChargeType": "PrePaid"}} {
			got := call[regions](h, "DescribeRegions", asked).Regions.Region
			if len(got) != 2 || got[0].RegionId != region || got[0].RegionEndpoint != region+".orderly.example" || got[0].Status != "available" {
				t.Errorf("%v: %+v", asked, got)
			}
		}
	})
}
