package main

// secretsOnUnix is whether the permissions of a file say who can read it: here access lists do.
const secretsOnUnix = false
