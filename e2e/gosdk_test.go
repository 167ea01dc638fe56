package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// goSDK is the vendor's Go client, pointed at endpoint (http://host:port) the way its users would.
func goSDK(t *testing.T, endpoint, keyID, secret string) *ecs.Client {
	t.Helper()
	c, err := ecs.NewClientWithAccessKey("cn-hangzhou", keyID, secret)
	if err != nil {
		t.Fatal(err)
	}
	scheme, host, _ := strings.Cut(endpoint, "://")
	c.Domain = host
	c.GetConfig().WithScheme(strings.ToUpper(scheme))
	return c
}

// The client decides the form of what our server must understand. A new version of it that
// speaks differently shows here first.
func TestGoSDKSignsInTheQuery(t *testing.T) {
	var got url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"RequestId":"r-1","InvokeId":"t-1"}`))
	}))
	defer srv.Close()

	q := ecs.CreateRunCommandRequest()
	q.Type = "RunShellScript"
	q.CommandContent = "echo hello"
	q.InstanceId = &[]string{"i-1", "i-2"}
	answer, err := goSDK(t, srv.URL, "testid", "testsecret").RunCommand(q)
	if err != nil {
		t.Fatal(err)
	}
	if answer.InvokeId != "t-1" {
		t.Errorf("InvokeId = %q, want t-1", answer.InvokeId)
	}
	for name, want := range map[string]string{
		"Action": "RunCommand", "Version": "2014-05-26", "Format": "JSON", "RegionId": "cn-hangzhou",
		"AccessKeyId": "testid", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"Type": "RunShellScript", "CommandContent": "echo hello", "InstanceId.1": "i-1", "InstanceId.2": "i-2",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
	if got.Get("Signature") == "" || got.Get("SignatureNonce") == "" {
		t.Errorf("not signed: %v", got)
	}
}
