package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// stranger is the key of a second account.
func (h *house) stranger() store.AccessKey {
	h.t.Helper()
	secret, err := os.ReadFile(h.secret)
	must(h.t, err)
	db, err := store.Open(h.t.Context(), h.url, store.Options{Secret: secret})
	must(h.t, err)
	defer func() { _ = db.Close() }()
	k := store.AccessKey{ID: "stranger", Secret: "another secret", Account: "2000000000000002"}
	must(h.t, db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		if err := tx.AddAccount(k.Account); err != nil {
			return err
		}
		return tx.AddKey(k)
	}))
	return k
}

// ask makes a request that must succeed.
func (h *house) ask(key store.AccessKey, action string, params auth.Params) map[string]any {
	h.t.Helper()
	status, body := h.call(key, action, params)
	if status != http.StatusOK {
		h.t.Fatalf("%s: %d %s", action, status, body)
	}
	var answer map[string]any
	must(h.t, json.Unmarshal([]byte(body), &answer))
	return answer
}

// machine registers one for the account of a key and returns its ID and its activation's.
func (h *house) machine(key store.AccessKey) (instance, activation string) {
	h.t.Helper()
	a := h.ask(key, "CreateActivation", auth.Params{"Tag.1.Key": "env", "Tag.1.Value": "prod"})
	kp, err := nkeys.CreateUser()
	must(h.t, err)
	public, err := kp.PublicKey()
	must(h.t, err)
	body := wire.Encode(wire.Registration{ActivationID: fmt.Sprint(a["ActivationId"]), ActivationCode: fmt.Sprint(a["ActivationCode"]), PublicKey: public, Hostname: "web", OS: "linux"})
	resp, err := http.Post(h.endpoint+wire.RegisterPath, "application/json", bytes.NewReader(body))
	must(h.t, err)
	defer resp.Body.Close()
	var r wire.Registered
	must(h.t, json.NewDecoder(resp.Body).Decode(&r))
	return r.InstanceID, fmt.Sprint(a["ActivationId"])
}

// Two accounts: neither sees, stops, changes or runs anything of the other's, and neither learns that
// it is there.
func TestAccountsAreApart(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := h.stranger()
		instance, activation := h.machine(h.key)
		second, _ := h.machine(h.key)
		own, _ := h.machine(other)
		run := auth.Params{"Type": "RunShellScript", "CommandContent": "true", "ClientToken": "same", "ResourceTag.1.Key": "orderly:all", "KeepCommand": "true", "Name": "secretname"}
		ran := h.ask(h.key, "RunCommand", run)
		command, invoke := fmt.Sprint(ran["CommandId"]), fmt.Sprint(ran["InvokeId"])
		theirs := []string{instance, second, activation, command, invoke, "secretname", h.key.Account, h.key.ID}

		for action, p := range map[string]auth.Params{
			"DisableActivation":         {"ActivationId": activation},
			"DeleteActivation":          {"ActivationId": activation},
			"ModifyManagedInstance":     {"InstanceId": instance, "InstanceName": "mine"},
			"DeregisterManagedInstance": {"InstanceId": instance},
			"DeleteCommand":             {"CommandId": command},
			"StopInvocation":            {"InvokeId": invoke},
			"InvokeCommand":             {"CommandId": command, "InstanceId.1": own},
			"RunCommand":                {"Type": "RunShellScript", "CommandContent": "true", "InstanceId.1": instance},
		} {
			absent := auth.Params{}
			for name, value := range p {
				for _, id := range theirs {
					value = strings.ReplaceAll(value, id, id[:len(id)-3]+"zzz")
				}
				absent[name] = value
			}
			status, body := h.call(other, action, p)
			as, ab := h.call(other, action, absent)
			if status == http.StatusOK || status != as || code(body) != code(ab) {
				t.Errorf("%s of another account's: %d %s, of one that is not there: %d %s", action, status, body, as, ab)
			}
		}
		for action, p := range map[string]auth.Params{
			"DescribeActivations":          {"ActivationId": activation},
			"DescribeManagedInstances":     {"InstanceId.1": instance},
			"DescribeCloudAssistantStatus": {},
			"DescribeCommands":             {"CommandId": command},
			"DescribeInvocations":          {"InvokeId": invoke, "IncludeOutput": "true"},
			"DescribeInvocationResults":    {"InvokeId": invoke},
			"DescribeLateResults":          {"InvokeId": invoke},
		} {
			for _, params := range []auth.Params{p, {}, {"Tag.1.Key": "env", "Tag.1.Value": "prod"}, {"InstanceId": instance}, {"InstanceId": own}, {"CommandId": command}} {
				_, body := h.call(other, action, params)
				for _, text := range theirs {
					if strings.Contains(body, text) {
						t.Errorf("%s %v tells another account %q: %s", action, params, text, body)
					}
				}
			}
		}
		again := h.ask(other, "RunCommand", run) // the same token, another account
		if again["InvokeId"] == ran["InvokeId"] {
			t.Error("a client token was answered with another account's invocation")
		}
		results := fmt.Sprint(h.ask(other, "DescribeInvocationResults", auth.Params{"InvokeId": fmt.Sprint(again["InvokeId"])}))
		if strings.Contains(results, instance) || strings.Contains(results, second) || !strings.Contains(results, own) {
			t.Errorf("orderly:all ran on %s, want %s alone", results, own)
		}
		token := h.ask(h.key, "DescribeManagedInstances", auth.Params{"MaxResults": "1"})["NextToken"]
		if token == "" || token == nil {
			t.Fatal("no token for a second page")
		}
		if status, body := h.call(other, "DescribeManagedInstances", auth.Params{"MaxResults": "1", "NextToken": fmt.Sprint(token)}); status == http.StatusOK {
			t.Errorf("another account's token opens a page: %s", body)
		}
		if got := fmt.Sprint(h.ask(h.key, "DescribeManagedInstances", nil)["TotalCount"]); got != "2" {
			t.Errorf("the first account has %s instances left, want 2", got)
		}
	})
}

func code(body string) string {
	var e struct{ Code string }
	_ = json.Unmarshal([]byte(body), &e)
	return e.Code
}
