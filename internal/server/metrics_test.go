package server_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

// Operators see how long the database's transactions take, by who waits for them.
func TestMetricsTellOfTransactions(t *testing.T) {
	h := start(t, filepath.Join(t.TempDir(), "orderly.db"))
	h.call(h.key, "CreateCommand", operations["CreateCommand"])
	_, text := h.get("/metrics")
	if !regexp.MustCompile(`(?m)^orderly_transaction_seconds_count\{queue="interactive"\} [1-9]`).MatchString(text) {
		t.Errorf("no interactive transaction is counted in\n%s", text)
	}
}
