package rpc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/orderly-run/orderly"
)

// A TokenKey seals the place where a list goes on into a NextToken, and opens only what it sealed
// (rules PG-3, PG-6). Nothing is stored: every server with the key can open the token.
//
// A token is Base64 of the place, in 16 bytes, and an HMAC-SHA256 over its scope and the place.
type TokenKey []byte

// A Scope is what a token is good for. Filter is what else chooses the rows: a struct of texts,
// numbers, and slices of those.
type Scope struct {
	Operation, Account, Region string
	Filter                     any
}

const placeSize = 16

var tokenEncoding = base64.RawURLEncoding

// Seal makes the token that goes on after a place.
func (k TokenKey) Seal(s Scope, at orderly.Place) string {
	raw := make([]byte, placeSize, placeSize+sha256.Size)
	binary.BigEndian.PutUint64(raw, uint64(at.Seq))
	binary.BigEndian.PutUint64(raw[8:], uint64(at.Ordinal))
	return tokenEncoding.EncodeToString(append(raw, k.mac(s, raw)...))
}

// Open finds the place in a token, or NextTokenInvalid when it was not sealed with this key for
// this scope.
func (k TokenKey) Open(s Scope, token string) (orderly.Place, error) {
	raw, err := tokenEncoding.DecodeString(token)
	if err != nil || len(raw) != placeSize+sha256.Size || len(token) != tokenEncoding.EncodedLen(len(raw)) {
		return orderly.Place{}, orderly.NextTokenInvalid
	}
	place, mac := raw[:placeSize], raw[placeSize:]
	if !hmac.Equal(mac, k.mac(s, place)) {
		return orderly.Place{}, orderly.NextTokenInvalid
	}
	return orderly.Place{
		Seq:     int64(binary.BigEndian.Uint64(place)),
		Ordinal: int(binary.BigEndian.Uint64(place[8:])),
	}, nil
}

func (k TokenKey) mac(s Scope, place []byte) []byte {
	scope, err := json.Marshal(s)
	if err != nil {
		panic(err) // a filter that is no such struct
	}
	h := hmac.New(sha256.New, k)
	h.Write(scope)
	h.Write(place) // of fixed length: where the scope ends is clear
	return h.Sum(nil)
}
