package rpc_test

import (
	"bytes"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// tokenLetters are those that a token is written with, and one that none has.
const tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="

// PG-3, PG-6: no token but the very one that was sealed is opened.
func TestAlteredNextTokensAreRefused(t *testing.T) {
	key := rpc.TokenKey(bytes.Repeat([]byte{9}, 32))
	scope := rpc.Scope{Operation: "DescribeInvocations", Account: "1", Region: "cn-hangzhou", Filter: []string{"t-1"}}
	place := orderly.Place{Seq: 1<<62 + 12345, Ordinal: 77}
	sealed := key.Seal(scope, place)
	if got, err := key.Open(scope, sealed); err != nil || got != place {
		t.Fatalf("opened %v, %v, want %v", got, err, place)
	}
	refuse := func(token string) {
		if got, err := key.Open(scope, token); err == nil {
			t.Errorf("%q was opened as %v; sealed was %q", token, got, sealed)
		}
	}
	for i := range len(sealed) {
		for _, c := range tokenLetters {
			if altered := sealed[:i] + string(c) + sealed[i+1:]; altered != sealed {
				refuse(altered)
			}
		}
		refuse(sealed[:i])
		refuse(sealed[:i] + "\n" + sealed[i:])
		refuse(sealed[:i] + sealed[i+1:])
	}
	refuse(sealed + "=")
	refuse(sealed + "A")
	refuse(sealed + sealed)
}

// PG-3: nobody makes a token valid by altering one.
func FuzzAlteredNextToken(f *testing.F) {
	key := rpc.TokenKey(bytes.Repeat([]byte{9}, 32))
	scope := rpc.Scope{Operation: "DescribeInvocationResults", Account: "1", Region: "cn-hangzhou", Filter: []string{"t-1"}}
	f.Add(int64(1<<62), 7, 0, []byte("A"))
	f.Add(int64(0), 0, 63, []byte("\n"))
	f.Add(int64(-1), -1, 20, []byte("===="))
	f.Fuzz(func(t *testing.T, seq int64, ordinal, at int, patch []byte) {
		sealed := key.Seal(scope, orderly.Place{Seq: seq, Ordinal: ordinal})
		if at < 0 || at > len(sealed) {
			return
		}
		end := min(at+len(patch), len(sealed))
		for _, altered := range []string{sealed[:at] + string(patch) + sealed[end:], sealed[:at] + string(patch) + sealed[at:]} {
			if got, err := key.Open(scope, altered); (err == nil) != (altered == sealed) {
				t.Errorf("%q: %v, %v; sealed was %q", altered, got, err, sealed)
			}
		}
	})
}
