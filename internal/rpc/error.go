package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/orderly-run/orderly"
)

// An Error is a refusal that carries its published form itself and wins over every table. It is
// for codes that depend on the request, such as MissingParameter.RegionId.
type Error struct {
	Status  int
	Code    string
	Message string

	general bool // the message is in our words; the dialect's, when it has any for the code, go first
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func badParameter(message string) *Error {
	return refuse(http.StatusBadRequest, "InvalidParameter", "%s", message)
}

func missing(name string) *Error {
	return refuse(http.StatusBadRequest, "MissingParameter", "The parameter %s is required.", name)
}

// commonCodes are the codes that every dialect shares.
var commonCodes = map[orderly.Reason]Code{
	KeyUnknown: {http.StatusNotFound, "InvalidAccessKeyId.NotFound", "The specified AccessKeyId does not exist."},
	NonceUsed:  {http.StatusBadRequest, "SignatureNonceUsed", "The request signature nonce has been used."},
	Forbidden:  {http.StatusForbidden, "Forbidden.RAM", "The caller is not authorized to perform this operation."},
	Throttled:  {http.StatusBadRequest, "Throttling", "The request was denied because of too many requests."},
	Conflict:   {http.StatusConflict, "OperationConflict", ""},
	Overloaded: {http.StatusServiceUnavailable, "ServiceUnavailable", "The service is temporarily unavailable."},
}

var internalError = Code{
	http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error.",
}

// published returns what the caller of an action sees of err, and whether err is a fault of ours, whose
// cause is for the log only.
func (a *API) published(action string, err error) (answer *Error, fault bool) {
	var e *Error
	if errors.As(err, &e) {
		return refuse(e.Status, e.Code, "%s", a.messageOf(e)), false
	}
	var reason orderly.Reason
	if errors.As(err, &reason) {
		if code, ok := a.code(reason); ok {
			return code.explain(reason, err), false
		}
	}
	code, ok := a.InternalOf[action]
	if !ok {
		code = a.Internal
	}
	if code.Code == "" {
		code = internalError
	}
	return refuse(code.Status, code.Code, "%s", code.Message), !errors.Is(err, context.Canceled)
}

func (a *API) code(reason orderly.Reason) (Code, bool) {
	if code, ok := a.Codes[reason]; ok {
		return code, true
	}
	code, ok := commonCodes[reason]
	return code, ok
}

// messageOf returns the dialect's message for the code of a decoding error, when it has one: the
// same text wherever a code occurs. Other errors keep their own.
func (a *API) messageOf(e *Error) string {
	for _, code := range a.Codes {
		if e.general && code.Code == e.Code && code.Message != "" {
			return code.Message
		}
	}
	return e.Message
}

// explain gives the published message, else what err says after its reason: the words before it
// are about our own workings.
func (c Code) explain(reason orderly.Reason, err error) *Error {
	if c.Message != "" {
		return refuse(c.Status, c.Code, "%s", c.Message)
	}
	_, detail, _ := strings.Cut(err.Error(), string(reason))
	detail = strings.TrimPrefix(detail, ": ")
	if detail == "" {
		detail = string(reason)
	}
	return refuse(c.Status, c.Code, "%s", detail)
}
