package console

import "github.com/orderly-run/orderly"

// What pages call what the API has names for. There is one name for each thing in the whole console.

// kind is what a type of command is called.
func kind(t orderly.CommandType) string {
	switch t {
	case orderly.RunShellScript:
		return "Shell"
	case orderly.RunPowerShellScript:
		return "PowerShell"
	case orderly.RunBatScript:
		return "Batch"
	}
	return string(t)
}

// repeats is what a mode of repetition is called.
func repeats(m orderly.RepeatMode) string {
	switch m {
	case orderly.Period:
		return "On a schedule"
	case orderly.EveryReboot:
		return "At every boot"
	case orderly.NextRebootOnly:
		return "At the next boot"
	case orderly.DryRun:
		return "Dry run"
	}
	return string(m)
}

// system is what a kind of operating system is called.
func system(os orderly.OSType) string {
	switch os {
	case orderly.Linux:
		return "Linux"
	case orderly.Windows:
		return "Windows"
	}
	return string(os)
}
