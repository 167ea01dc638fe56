package agent

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// FuzzProxyConsent feeds what reads a proxy's answer to CONNECT with whatever may stand in between.
func FuzzProxyConsent(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 Connection established\r\n\r\nINFO {}\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nINFO ",
		"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200", "", "SSH-2.0\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxConsent) + "\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rest, err := readConsent(bytes.NewReader(data), &http.Request{Method: http.MethodConnect})
		if err == nil && !bytes.HasSuffix(data, rest) && len(data) <= maxConsent {
			t.Errorf("what follows the answer is %q, want the end of %q", rest, data)
		}
		if err == nil && !bytes.HasPrefix(data, []byte("HTTP/")) {
			t.Errorf("consent in %q", data)
		}
	})
}
