package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/orderly-run/orderly"
)

// Digest is a short text that two sides get alike exactly when they hold the same tasks, in
// whatever order; "" for none.
func Digest(keys []orderly.TaskKey) string {
	if len(keys) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(keys), orderly.TaskKey.Compare)
	h := sha256.New()
	var b [16]byte
	for _, k := range sorted {
		binary.BigEndian.PutUint64(b[:8], uint64(k.Invocation))
		binary.BigEndian.PutUint64(b[8:], uint64(k.Ordinal))
		h.Write(b[:])
	}
	return base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:15])
}
