package ecs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// machineList is an answer of DescribeInstances.
type machineList struct {
	page
	Instances struct {
		Instance []struct{ InstanceId, Status, CreationTime string }
	}
}

func (r machineList) ids() (list []string) {
	for _, i := range r.Instances.Instance {
		list = append(list, i.InstanceId)
	}
	return list
}

// statusList is an answer of DescribeInstanceStatus.
type statusList struct {
	page
	InstanceStatuses struct {
		InstanceStatus []struct{ InstanceId, Status string }
	}
}

func (r statusList) rows() (list []string) {
	for _, i := range r.InstanceStatuses.InstanceStatus {
		list = append(list, i.InstanceId+" "+i.Status)
	}
	return list
}

func TestAnswersOfInstances(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online(orderly.Tag{Key: "role", Value: "<db>"})
		h.machine(orderly.Windows)
		h.golden("DescribeInstances", "DescribeInstances", values{"InstanceIds": fmt.Sprintf(`["%s"]`, id)})
		h.golden("DescribeInstances-page", "DescribeInstances", values{"MaxResults": "1"})
		h.golden("DescribeInstances-none", "DescribeInstances", values{"InstanceIds": "[]"})
		h.golden("DescribeInstanceStatus", "DescribeInstanceStatus", nil)
		h.golden("DescribeInstanceStatus-none", "DescribeInstanceStatus", values{"InstanceId.1": "mi-unknown"})
	})
}

// What is Running takes commands, and so does what has just been registered; what is Stopped does not (T3).
func TestInstanceStatusIsWhetherItIsHeard(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		running, starting, stopped := h.online(), h.machine(orderly.Linux), h.away(orderly.Linux)
		all := call[statusList](h, "DescribeInstanceStatus", nil)
		want := []string{stopped + " Stopped", starting + " Starting", running + " Running"}
		if !slices.Equal(all.rows(), want) || all.page != (page{TotalCount: 3, PageNumber: 1, PageSize: 10}) {
			t.Errorf("%v in %+v, want %v", all.rows(), all.page, want)
		}
		for status, id := range map[string]string{"Running": running, "Starting": starting, "Stopped": stopped, "Pending": "", "Stopping": ""} {
			got := call[machineList](h, "DescribeInstances", values{"Status": status})
			if id == "" && got.TotalCount != 0 || id != "" && (!slices.Equal(got.ids(), []string{id}) || got.Instances.Instance[0].Status != status) {
				t.Errorf("%s: %+v, want %s", status, got, id)
			}
		}
		for id, want := range map[string]string{running: "Pending", starting: "Pending", stopped: "Aborted"} {
			if row := h.result(values{"InvokeId": h.ran(script(id), nil)}); row.InvocationStatus != want {
				t.Errorf("a command on %s is %s, want %s", id, row.InvocationStatus, want)
			}
		}
		for _, c := range []struct {
			asked values
			want  int
		}{
			{values{"InstanceId.1": running, "InstanceId.2": stopped, "InstanceId.3": "mi-unknown"}, 2},
			{values{"InstanceId": running}, 1},
			{values{"ZoneId": "cn-hangzhou-a"}, 0},
			{values{"ClusterId": "cls-1"}, 0},
			{values{"RegionId": "cn-beijing"}, 0},
		} {
			if got := call[statusList](h, "DescribeInstanceStatus", c.asked); got.TotalCount != c.want || len(got.rows()) != c.want {
				t.Errorf("%v: %v", c.asked, got.rows())
			}
		}
		if got := call[statusList](h, "DescribeInstanceStatus", values{"PageSize": "2", "PageNumber": "2"}); !slices.Equal(got.rows(), want[2:]) || got.TotalCount != 3 {
			t.Errorf("second page: %+v", got)
		}
		if got := call[statusList](h.as(other), "DescribeInstanceStatus", nil); got.TotalCount != 0 {
			t.Errorf("another account sees %v", got.rows())
		}
	})
}

func TestInstancesAreFoundByEveryParameter(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		web, away := h.online(orderly.Tag{Key: "role", Value: "web"}), h.away(orderly.Windows)
		call[struct{}](h, "ModifyManagedInstance", values{"InstanceId": web, "InstanceName": "front-web-1"})
		minute := func(d time.Duration) string { return h.db.Now().Add(d).Format("2006-01-02T15:04Z") }
		all := []string{away, web}
		for _, c := range []struct {
			filter values
			want   []string
		}{
			{nil, all},
			{values{"InstanceIds": fmt.Sprintf(`["%s","%s"]`, web, web)}, []string{web}},
			{values{"InstanceIds": fmt.Sprintf(`["%s", "mi-unknown"]`, web)}, []string{web}},
			{values{"InstanceIds": `[]`}, nil}, // is a filter, and finds nothing
			{values{"InstanceName": "front*"}, []string{web}},
			{values{"InstanceName": "*web*"}, []string{web}},
			{values{"InstanceName": "front"}, nil},
			{values{"InstanceName": "*"}, all},
			{values{"PrivateIpAddresses": `["10.0.0.7"]`}, all},
			{values{"PrivateIpAddresses": `["203.0.113.7"]`}, nil},
			{values{"PrivateIpAddresses": `["10.0.0.7"]`, "InstanceNetworkType": "vpc"}, all},
			{values{"PublicIpAddresses": `["203.0.113.7","203.0.113.8"]`, "InstanceName": "front*"}, []string{web}},
			{values{"PublicIpAddresses": `["10.0.0.7"]`}, nil},
			{values{"Ipv6Address.1": "10.0.0.7"}, all},
			{values{"Ipv6Address.1": "2001:db8::1"}, nil},
			{values{"ResourceGroupId": "rg-machines"}, all},
			{values{"ResourceGroupId": "rg-other"}, nil},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "web"}, []string{web}},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "db"}, nil},
			{values{"RegionId": "cn-beijing"}, nil},
			{values{"Filter.1.Key": "CreationStartTime", "Filter.1.Value": minute(-10 * time.Minute)}, []string{web}},
			{values{"Filter.1.Key": "CreationEndTime", "Filter.1.Value": minute(-10 * time.Minute)}, []string{away}},
			{values{"Filter.1.Key": "CreationStartTime", "Filter.1.Value": minute(-2 * time.Hour), "Filter.2.Key": "CreationEndTime", "Filter.2.Value": minute(2 * time.Minute)}, all},
			{values{"Filter.1.Key": "CreationEndTime", "Filter.1.Value": "2020-02-03T04:05:06Z"}, nil},
			{values{"HttpEndpoint": "enabled", "HttpTokens": "optional", "HttpPutResponseHopLimit": "3", "AdditionalAttributes.1": "META_OPTIONS", "NeedSaleCycle": "true", "DryRun": "false"}, all},
			// what no machine has
			{values{"Filter.1.Key": "ExpiredStartTime", "Filter.1.Value": "2020-02-03T04:05Z"}, nil},
			{values{"Filter.1.Key": "ExpiredEndTime", "Filter.1.Value": "2020-02-03T04:05Z"}, nil},
			{values{"InnerIpAddresses": `["10.0.0.7"]`}, nil},
			{values{"EipAddresses": `["203.0.113.7"]`}, nil},
			{values{"RdmaIpAddresses": `10.0.0.7`}, nil},
			{values{"InstanceNetworkType": "classic"}, nil},
			{values{"InstanceChargeType": "PostPaid"}, nil},
			{values{"InternetChargeType": "PayByTraffic"}, nil},
			{values{"LockReason": "security"}, nil},
			{values{"VpcId": "vpc-1"}, nil},
			{values{"VSwitchId": "vsw-1"}, nil},
			{values{"ZoneId": "cn-hangzhou-a"}, nil},
			{values{"SecurityGroupId": "sg-1"}, nil},
			{values{"ImageId": "m-1"}, nil},
			{values{"InstanceType": "ecs.g5.large"}, nil},
			{values{"InstanceTypeFamily": "ecs.g5"}, nil},
			{values{"KeyPairName": "k"}, nil},
			{values{"HpcClusterId": "hpc-1"}, nil},
			{values{"DeviceAvailable": "true"}, nil},
			{values{"IoOptimized": "false"}, nil},
		} {
			got := call[machineList](h, "DescribeInstances", c.filter)
			if !slices.Equal(got.ids(), c.want) || got.TotalCount != len(c.want) {
				t.Errorf("%v: %v (TotalCount %d), want %v", c.filter, got.ids(), got.TotalCount, c.want)
			}
		}
		if got := call[machineList](h.as(other), "DescribeInstances", nil); got.TotalCount != 0 {
			t.Errorf("another account sees %v", got.ids())
		}
	})
}

// PG-1 to PG-6, with pages of up to 100.
func TestInstancesAreListedInPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var want []string
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			want = nil
			for range 105 {
				seq := h.db.NextSeq()
				i := orderly.Instance{Seq: seq, ID: orderly.NewID(orderly.InstancePrefix, region, seq), Account: account, Region: region, PublicKey: fmt.Sprint(seq), OS: orderly.Linux}
				if err := tx.AddInstance(i); err != nil {
					return err
				}
				want = append([]string{i.ID}, want...)
			}
			return nil
		}))
		read := func(first values, next func(n int, token string) values) (got []string, sizes []int) {
			for asked := first; ; {
				r := call[machineList](h, "DescribeInstances", asked)
				got, sizes = append(got, r.ids()...), append(sizes, len(r.ids()))
				if r.NextToken == "" || r.TotalCount != 105 {
					return got, sizes
				}
				asked = next(len(sizes)+1, r.NextToken)
			}
		}
		byToken, sizes := read(values{"MaxResults": "100"}, func(_ int, token string) values {
			return values{"MaxResults": "100", "NextToken": token, "PageSize": "x"}
		})
		if d := cmp.Diff(want, byToken); d != "" || !slices.Equal(sizes, []int{100, 5}) {
			t.Errorf("by token in pages of %v (-want +got)\n%s", sizes, d)
		}
		byNumber, sizes := read(values{"PageSize": "60"}, func(n int, _ string) values { return values{"PageSize": "60", "PageNumber": fmt.Sprint(n)} })
		if d := cmp.Diff(want, byNumber); d != "" || !slices.Equal(sizes, []int{60, 45}) {
			t.Errorf("by number in pages of %v (-want +got)\n%s", sizes, d)
		}
		first := call[machineList](h, "DescribeInstances", nil)
		if len(first.ids()) != 10 || first.PageSize != 10 || first.PageNumber != 1 {
			t.Errorf("page of no size given: %+v", first.page)
		}
		h.refused("DescribeInstances", values{"NextToken": first.NextToken, "InstanceName": "x"}, 400, "InvalidParameter.NextToken")
		h.refused("DescribeManagedInstances", values{"NextToken": first.NextToken}, 400, "InvalidParameter.NextToken")
		h.as(other).refused("DescribeInstances", values{"NextToken": first.NextToken}, 400, "InvalidParameter.NextToken")
		if deep := call[machineList](h, "DescribeInstances", values{"PageNumber": "100000", "PageSize": "1"}); len(deep.ids()) != 0 || deep.TotalCount != 105 {
			t.Errorf("a page past the end: %+v", deep)
		}
	})
}
