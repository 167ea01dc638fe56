// Package docker speaks as much of the Docker Engine API as it takes to run a command in a container: find the
// container, make an exec in it, start that and read what it writes, and ask what became of it.
//
// The engine listens on a Unix socket. Requests name no version of the API, so that the engine takes its own newest one: what
// is used here has been the same since 1.24. Everything that comes back is bounded, and but for an output everything comes
// within a few seconds or not at all.
//
// The API has no way to end an exec. It tells the number that its process has on the engine's machine, and who
// runs there may end it.
//
// # Names
//
// An engine lets no two containers have one name. Kubernetes has names of its own for them, unique within a pod,
// and puts them into the label io.kubernetes.container.name: a name that no container of the engine has is looked for
// there, and may be that of several.
package docker
