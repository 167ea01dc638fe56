package ecs

import (
	"fmt"
	"net/http"

	"github.com/orderly-run/orderly/internal/rpc"
)

// invalid refuses the value of a parameter that has no code of its own.
func invalid(parameter, format string) error {
	return &rpc.Error{Status: http.StatusBadRequest, Code: "InvalidParameter." + parameter, Message: fmt.Sprintf(format, parameter)}
}

// notOffered refuses a parameter that asks for something published that this server cannot do
// yet. To ignore it would be to do something else than what was asked for.
func notOffered(parameter string) error {
	return invalid(parameter, "The specified value of %s is not offered by this server yet.")
}

// firstGiven refuses the first parameter that has a value: pairs of name and value.
func firstGiven(pairs ...[2]string) error {
	for _, p := range pairs {
		if p[1] != "" {
			return notOffered(p[0])
		}
	}
	return nil
}
