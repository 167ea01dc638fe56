package rpc_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// PG-3, PG-6: a token opens with the key and for the scope that it was sealed with, and nothing else
// is one.
func FuzzNextToken(f *testing.F) {
	type filter struct{ ID string }
	key := rpc.TokenKey(bytes.Repeat([]byte{9}, 32))
	scope := rpc.Scope{Operation: "DescribeInvocations", Account: "1", Region: "cn-hangzhou", Filter: filter{ID: "t-1"}}
	f.Add(key.Seal(scope, orderly.Place{Seq: 1 << 60, Ordinal: 7}), int64(1), 0)
	f.Add("", int64(-1), -1)
	f.Add(strings.Repeat("A", 64), int64(0), 1<<30)
	f.Fuzz(func(t *testing.T, token string, seq int64, ordinal int) {
		place, err := key.Open(scope, token)
		if err == nil && key.Seal(scope, place) != token {
			t.Errorf("opened %q, which was never sealed", token)
		}
		if err != nil && err != orderly.NextTokenInvalid { //nolint:errorlint // the very reason, with no words around it
			t.Errorf("error %v", err)
		}
		want := orderly.Place{Seq: seq, Ordinal: ordinal}
		sealed := key.Seal(scope, want)
		if got, err := key.Open(scope, sealed); got != want || err != nil {
			t.Errorf("opened %v, %v, want %v", got, err, want)
		}
		for _, strange := range []rpc.Scope{
			{Operation: "DescribeCommands", Account: "1", Region: "cn-hangzhou", Filter: scope.Filter},
			{Operation: "DescribeInvocations", Account: "2", Region: "cn-hangzhou", Filter: scope.Filter},
			{Operation: "DescribeInvocations", Account: "1", Region: "cn-beijing", Filter: scope.Filter},
			{Operation: "DescribeInvocations", Account: "1", Region: "cn-hangzhou", Filter: filter{ID: token + "t-1 "}},
		} {
			if _, err := key.Open(strange, sealed); err == nil {
				t.Errorf("%+v opened a token of %+v", strange, scope)
			}
		}
		if _, err := rpc.TokenKey("another").Open(scope, sealed); err == nil {
			t.Error("another key opened it")
		}
	})
}
