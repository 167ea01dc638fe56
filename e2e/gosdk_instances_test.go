package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// instance is what is shown of an agent that is heard of, in the words of an instance.
func (p *play) instance(a *stage.Agent) ecs.Instance {
	p.Helper()
	return ecs.Instance{
		InstanceId: a.ID, InstanceName: a.Name, HostName: hostName(p), Status: "Running", RegionId: stage.Region, OSType: "linux",
		OSName: systemName(p), OSNameEn: systemName(p), CreationTime: anyTime,
		PublicIpAddress: ecs.PublicIpAddressInDescribeInstances{IpAddress: []string{"127.0.0.1"}},
		VpcAttributes:   ecs.VpcAttributes{PrivateIpAddress: ecs.PrivateIpAddressInDescribeInstanceAttribute{IpAddress: []string{"127.0.0.1"}}},
	}
}

// Registered machines are instances to those who know of instances only.
func TestGoSDKDescribesInstances(t *testing.T) {
	eachFormat(t, func(p *play) {
		agents := p.Server.Agents("one", "two", "three")
		p.tag("instance", agents[1].ID, ecs.TagResourcesTag{Key: "role", Value: "db"})
		third, second, first := p.instance(agents[2]), p.instance(agents[1]), p.instance(agents[0])
		second.Tags.Tag = []ecs.Tag{{TagKey: "role", TagValue: "db"}}
		listed := func(total, size int, list ...ecs.Instance) *ecs.DescribeInstancesResponse {
			return &ecs.DescribeInstancesResponse{TotalCount: total, PageNumber: 1, PageSize: size, Instances: ecs.InstancesInDescribeInstances{Instance: list}}
		}
		check(p, "all", ask(p, p.SDK.DescribeInstances, ecs.CreateDescribeInstancesRequest()), listed(3, 10, third, second, first))

		q := ecs.CreateDescribeInstancesRequest()
		named, err := json.Marshal([]string{agents[0].ID, agents[2].ID})
		if err != nil {
			p.Fatal(err)
		}
		q.InstanceIds, q.PageSize = string(named), number(100)
		check(p, "those that are named", ask(p, p.SDK.DescribeInstances, q), listed(2, 100, third, first))

		q = ecs.CreateDescribeInstancesRequest()
		q.Tag, q.InstanceName, q.Status, q.InstanceNetworkType = &[]ecs.DescribeInstancesTag{{Key: "role", Value: "db"}}, "t*", "Running", "vpc"
		q.Filter1Key, q.Filter1Value = "CreationStartTime", "2020-01-01T00:00Z"
		check(p, "by tag, name, status and time", ask(p, p.SDK.DescribeInstances, q), listed(1, 10, second))
		q.Status = "Stopped"
		check(p, "by another status", ask(p, p.SDK.DescribeInstances, q), listed(0, 10))
		q.Status = "Flying"
		refused(p, p.SDK.DescribeInstances, q, 404, "InvalidStatus.NotFound")
		p.pagesOfInstances([]ecs.Instance{third, second, first})
	})
}

func (p *play) pagesOfInstances(want []ecs.Instance) {
	p.Helper()
	var got []ecs.Instance
	q := ecs.CreateDescribeInstancesRequest()
	q.MaxResults = number(2)
	for more := true; more; more = q.NextToken != "" {
		a := ask(p, p.SDK.DescribeInstances, q)
		got = append(got, a.Instances.Instance...)
		q.NextToken = a.NextToken
	}
	check(p, "by token", got, want)
}

// A machine that is not heard of any more is Stopped, after 2 minutes, which are 2 s here.
func TestGoSDKSeesInstancesStop(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"JSON", "XML"} {
		s := stage.Open(t, stage.Options{Scale: 60})
		p := &play{t, s, goSDK(t, s.Endpoint, s.KeyID, s.Secret), format}
		a, b := s.Agent("one"), s.Agent("two")
		q := ecs.CreateDescribeInstanceStatusRequest()
		q.InstanceId = ids([]*stage.Agent{a, b})
		status := func() *ecs.DescribeInstanceStatusResponse { return ask(p, p.SDK.DescribeInstanceStatus, q) }
		want := &ecs.DescribeInstanceStatusResponse{TotalCount: 2, PageNumber: 1, PageSize: 10, InstanceStatuses: ecs.InstanceStatuses{
			InstanceStatus: []ecs.InstanceStatus{{InstanceId: b.ID, Status: "Running"}, {InstanceId: a.ID, Status: "Running"}},
		}}
		check(p, "two that run", status(), want)
		a.Stop()
		stage.Await(t, stage.Patience, "the agent is away", func() error {
			if got := status().InstanceStatuses.InstanceStatus[1]; got.Status != "Stopped" {
				return fmt.Errorf("status %+v", got)
			}
			return nil
		})
		want.InstanceStatuses.InstanceStatus[1].Status = "Stopped"
		check(p, "one that stopped", status(), want)
	}
}
