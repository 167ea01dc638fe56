// Package auth makes and checks request signatures: the client signs with the same functions
// by which the server verifies.
//
// Two schemes exist. V1 (HMAC-SHA1 or HMAC-SHA256) signs the decoded parameters, all of which
// travel in the query or a form; the signature is one more parameter. V3 (ACS3-HMAC-SHA256)
// signs the method, the path, the query, chosen headers and the hash of the body; the signature
// travels in the Authorization header.
//
// Both work on decoded text and encode it again themselves, because clients differ in how they
// escape. Verification takes time independent of where a wrong signature differs. The string to
// sign holds the caller's parameters and never the secret, so that it may be shown to the caller.
//
// The package is pure: no clock, no I/O, no key storage.
package auth
