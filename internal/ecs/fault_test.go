package ecs_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/rpc"
)

// memory are keys that are known without a database.
type memory struct{}

func (memory) AccessKey(_ context.Context, id string) (rpc.Key, error) {
	return rpc.Key{ID: id, Account: id, Secret: "secret"}, nil
}

func (memory) SpendNonce(context.Context, string, string, time.Time) error { return nil }

// What is wrong with the server itself is published as such, and nothing more is said of it.
func TestFaultsOfOursAreNoDetails(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		dialect := ecs.New(ecs.Config{Engine: h.engine, Fleet: h.fleet, TokenKey: bytes.Repeat([]byte{9}, 32)})
		web := httptest.NewServer(rpc.New(rpc.Config{APIs: []rpc.API{dialect.API()}, Keys: memory{}, Host: "orderly.example"}))
		t.Cleanup(web.Close)
		h.url = web.URL
		must(t, h.db.Close())
		for action, v := range map[string]values{
			"CreateCommand": aCommand, "DescribeCommands": nil, "ModifyCommand": {"CommandId": "c-1"}, "DeleteCommand": {"CommandId": "c-1"},
			"TagResources": {"ResourceType": "command", "ResourceId.1": "c-1", "Tag.1.Key": "k"}, "ListTagResources": {"ResourceType": "command", "Tag.1.Key": "k"},
			"UntagResources":    {"ResourceType": "command", "ResourceId.1": "c-1", "All": "true"},
			"DescribeInstances": nil, "DescribeInstanceStatus": nil, "DescribeCloudAssistantStatus": nil, "CreateActivation": nil,
			"DescribeActivations": nil, "DisableActivation": {"ActivationId": "A"}, "DeleteActivation": {"ActivationId": "A"}, "DescribeManagedInstances": nil,
			"RunCommand": script("mi-1"), "InvokeCommand": {"CommandId": "c-1", "InstanceId.1": "mi-1"}, "StopInvocation": {"InvokeId": "t-1"},
			"DescribeInvocations": nil, "DescribeInvocationResults": nil, "SendFile": file("mi-1"), "DescribeSendFileResults": nil,
			"ModifyManagedInstance": {"InstanceId": "mi-1", "InstanceName": "web"}, "DeregisterManagedInstance": {"InstanceId": "mi-1"},
		} {
			h.refused(action, v, http.StatusInternalServerError, "InternalError.Dispatch")
		}
		h.refused("ModifyInvocationAttribute", values{"InvokeId": "t-1"}, http.StatusInternalServerError, "InternalError")
	})
}
