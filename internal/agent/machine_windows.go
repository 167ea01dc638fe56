package agent

import (
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func systemFacts() map[string]string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return nil
	}
	defer k.Close() //nolint:errcheck // it was read only
	id, _, err := k.GetStringValue("MachineGuid")
	if err != nil {
		return nil
	}
	return map[string]string{"MachineGuid": id}
}

// bootID names the machine's current boot, which the system counts.
func bootID() (string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE,
		`SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`, registry.QUERY_VALUE)
	if err != nil {
		return "", err
	}
	defer k.Close() //nolint:errcheck // it was read only
	n, _, err := k.GetIntegerValue("BootId")
	return strconv.FormatUint(n, 10), err
}

// bootAge is how long ago that boot was.
func bootAge() (time.Duration, error) { return windows.DurationSinceBoot(), nil }

// systemName is what the system calls itself.
func systemName() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("Windows %d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)
}
