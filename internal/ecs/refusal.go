package ecs

import "github.com/orderly-run/orderly/internal/rpc"

// notOffered refuses a parameter that asks for something published that this server cannot do
// yet. To ignore it would be to do something else than what was asked for.
func notOffered(parameter string) error {
	return rpc.Invalid(parameter, "The specified value of %s is not offered by this server yet.")
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
