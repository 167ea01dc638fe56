//go:build unix

package main

// secretsOnUnix is whether the permissions of a file say who can read it.
const secretsOnUnix = true
