package orderly

import (
	"regexp"
	"strings"
)

// scriptFile is the placeholder of a launcher: the saved script, whose name may be given an
// extension (rule LA-1). The quotes around that are optional, and it is nothing but an extension:
// the script stays in its folder.
var scriptFile = regexp.MustCompile(`\{\{\s*ACS\s*::\s*ScriptFileName\s*(?:\|\s*Ext\(\s*["']?(\.?[0-9A-Za-z_-]{1,32})["']?\s*\)\s*)?\}\}`)

// ScriptExt is the extension that a launcher gives the saved script, with its dot, or "" for that
// which the command's type has. Of several the first counts.
func ScriptExt(launcher string) string {
	for _, m := range scriptFile.FindAllStringSubmatch(launcher, -1) {
		if m[1] != "" {
			return "." + strings.TrimPrefix(m[1], ".")
		}
	}
	return ""
}

// Launch is the command line that starts a saved script: the launcher with the script's path in
// the place of its placeholders, or behind it when it has none (rules LA-1, LA-2).
func Launch(launcher, path string) string {
	if !scriptFile.MatchString(launcher) {
		return launcher + " " + path
	}
	return scriptFile.ReplaceAllLiteralString(launcher, path)
}

// checkLauncherNames refuses built-in placeholders that a launcher does not have; other braces are
// its own business.
func checkLauncherNames(launcher string) error {
	for _, m := range placeholder.FindAllStringSubmatch(scriptFile.ReplaceAllLiteralString(launcher, ""), -1) {
		if name := strings.TrimSpace(m[1]); builtin.MatchString(name) {
			return ParameterNameInvalid.Errorf("%q is no placeholder of a launcher", name)
		}
	}
	return nil
}
