package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/internal/client"
)

// pages serves numbers, two levels down and with a field that no program knows.
func pages(t *testing.T, total int) (*client.Client, *[]string) {
	t.Helper()
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.FormValue("MaxResults")) // a bad one shows as an empty page
		from, _ := strconv.Atoi(r.FormValue("NextToken"))
		asked = append(asked, fmt.Sprint(size))
		var list []string
		for i := from; i < min(from+size, total); i++ {
			list = append(list, fmt.Sprintf(`{"N":%d,"Newer":true}`, i))
		}
		next := ""
		if from+size < total {
			next = fmt.Sprint(from + size)
		}
		_, _ = fmt.Fprintf(w, `{"Outer":{"NextToken":%q,"Numbers":{"Number":[%s]}}}`, next, strings.Join(list, ","))
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Endpoint: srv.URL, KeyID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked
}

func TestListsAreReadToTheirLimit(t *testing.T) {
	for _, c := range []struct {
		total, limit, want int
		more               bool
		pages              string
	}{
		{0, 0, 0, false, "50"}, {50, 0, 50, false, "50"}, {120, 0, 120, false, "50 50 50"}, {120, 60, 60, true, "50 10"}, {120, 10, 10, true, "10"}, {5, 10, 5, false, "10"}, {10, 10, 10, false, "10"},
	} {
		api, asked := pages(t, c.total)
		list, err := client.Fetch[struct{ N int }](t.Context(), api, client.Listing{Action: "DescribeNumbers", Path: []string{"Outer", "Numbers", "Number"}, Limit: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != c.want || len(list.Raw) != c.want || list.More != c.more || strings.Join(*asked, " ") != c.pages {
			t.Errorf("of %d, limit %d: %d items, %d raw, more %v, pages %v; want %d, more %v, pages %s", c.total, c.limit, len(list.Items), len(list.Raw), list.More, *asked, c.want, c.more, c.pages)
		}
		for i := range list.Items {
			if want := json.RawMessage(fmt.Sprintf(`{"N":%d,"Newer":true}`, i)); list.Items[i].N != i || string(list.Raw[i]) != string(want) {
				t.Fatalf("item %d is %v and %s, want %s", i, list.Items[i], list.Raw[i], want)
			}
		}
	}
}

// A large invocation is asked for with one machine while it goes on, and as a whole at its end (AG-6).
func TestWaitForALargeInvocationReadsFewRows(t *testing.T) {
	const machines = 1000
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("InstanceId"))
		n, status := machines, "Running"
		if r.FormValue("InstanceId") != "" {
			n = 1
		}
		if len(asked) > 3 {
			status = "Success"
		}
		rows := make([]string, n)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"InstanceId":"mi-%d","InvocationStatus":%q}`, i, status)
		}
		_, _ = fmt.Fprintf(w, `{"Invocations":{"Invocation":[{"InvokeId":"t-1","InvocationStatus":%q,"InvokeInstances":{"InvokeInstance":[%s]}}]}}`, status, strings.Join(rows, ","))
	}))
	defer srv.Close()
	c, err := client.New(client.Config{Endpoint: srv.URL, KeyID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := c.WaitInvocation(t.Context(), "t-1", nil)
	if err != nil || len(inv.InvokeInstances.InvokeInstance) != machines {
		t.Fatalf("%v and %v, want all machines", inv, err)
	}
	if got, want := strings.Join(asked, ","), ",mi-0,mi-0,mi-0,"; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
}
