package auth

import (
	"crypto/hmac"
	"crypto/sha1" // HMAC-SHA1 is what the V1 scheme prescribes
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
)

// Values of the V1 parameter SignatureMethod.
const (
	HMACSHA1   = "HMAC-SHA1"
	HMACSHA256 = "HMAC-SHA256"
)

// SignV1 returns the value of the parameter Signature for a request made with the HTTP method and
// params, and the text it signs. The parameter SignatureMethod chooses the hash; when it is not
// HMAC-SHA256 the hash is SHA-1. A parameter Signature is not part of what is signed.
func SignV1(method string, params Params, secret string) (signature, stringToSign string) {
	signed := params.canonical(func(name string) bool { return name != "Signature" })
	stringToSign = method + "&%2F&" + Escape(signed)
	mac := hmac.New(hashV1(params["SignatureMethod"]), []byte(secret+"&"))
	mac.Write([]byte(stringToSign))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), stringToSign
}

// VerifyV1 reports whether params["Signature"] is the signature of the request. It returns the
// string to sign as this side sees it, for the message that refuses the request.
func VerifyV1(method string, params Params, secret string) (stringToSign string, ok bool) {
	want, stringToSign := SignV1(method, params, secret)
	return stringToSign, subtle.ConstantTimeCompare([]byte(want), []byte(params["Signature"])) == 1
}

// WellFormedV1 reports whether params["Signature"] could be a signature by the request's method:
// Base64 of as many bytes as the hash has.
func WellFormedV1(params Params) bool {
	raw, err := base64.StdEncoding.DecodeString(params["Signature"])
	return err == nil && len(raw) == hashV1(params["SignatureMethod"])().Size()
}

func hashV1(method string) func() hash.Hash {
	if method == HMACSHA256 {
		return sha256.New
	}
	return sha1.New
}
