package console

// Terminal is for tests of what output becomes.
var Terminal = terminal
