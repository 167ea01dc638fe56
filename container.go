package orderly

import (
	"regexp"
	"strings"
)

var (
	containerID   = regexp.MustCompile(`^((docker|containerd|cri-o)://)?[0-9a-fA-F]{64}$`)
	containerName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,254}$`)
)

// CheckContainer finds what is wrong with the form of the ID and the name of the container that a command shall
// run in; "" is not given (rule CT-1).
func CheckContainer(id, name string) error {
	switch {
	case id != "" && !containerID.MatchString(id):
		return ContainerIDMalformed
	case name != "" && !containerName.MatchString(name):
		return ContainerNameMalformed
	}
	return nil
}

// SplitContainerID takes a container's ID apart: the runtime that it names, "" when it names none, and the digits in lower
// case, as runtimes write them.
func SplitContainerID(id string) (runtime, digits string) {
	runtime, digits, ok := strings.Cut(id, "://")
	if !ok {
		runtime, digits = "", id
	}
	return runtime, strings.ToLower(digits)
}

// InContainer reports whether i's command runs in a container.
func (i *Invocation) InContainer() bool { return i.ContainerID != "" || i.ContainerName != "" }

// Fits reports whether i's command can run under an OS (rules CMD-2, CT-2).
func (i *Invocation) Fits(os OSType) bool {
	return i.Command.Type.Fits(os) && (os == Linux || !i.InContainer())
}
