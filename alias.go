package orderly

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// An instance has a second name, of 32 hexadecimal digits, where IDs have that form (rule ID-4). It
// holds no more than its ID does, so nothing is stored for it: it is a hash of the instance's
// number, and the number masked with that.

// Alias is the second name of an instance, or the ID itself when that is not one of ours.
func Alias(id string) string {
	prefix, tail, _ := strings.Cut(id, "0")
	seq, err := strconv.ParseInt(tail, 36, 64)
	if err != nil || seq < 0 || !strings.HasPrefix(prefix, InstancePrefix+"-") || len(tail) != idTail {
		return id
	}
	b := make([]byte, 16)
	hash := aliasHash(uint64(seq))
	binary.BigEndian.PutUint64(b, hash)
	binary.BigEndian.PutUint64(b[8:], uint64(seq)^hash)
	return hex.EncodeToString(b)
}

// OfAlias is the ID of the instance in a region that has a second name, or the name itself when it is
// none.
func OfAlias(name, region string) string {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != 16 || strings.ToLower(name) != name {
		return name
	}
	hash := binary.BigEndian.Uint64(b)
	seq := binary.BigEndian.Uint64(b[8:]) ^ hash
	if aliasHash(seq) != hash || seq>>63 != 0 {
		return name
	}
	return NewID(InstancePrefix, region, int64(seq))
}

func aliasHash(seq uint64) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("instance "), seq))
	return binary.BigEndian.Uint64(sum[:])
}
