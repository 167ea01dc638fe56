package agent

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// owner is a user that is not the agent's own: there is none that commands can run as.
func owner(string) (uid, gid int, foreign bool) { return 0, 0, false }

// ownDir reports whether a path is a directory of other users' scripts: there are none.
func ownDir(string) bool { return false }

// makePrivate has nobody but the system, its administrators and the agent's own user see what is in a directory, or put
// something there: modes say nothing here, and what is made under C:\ProgramData is for everybody to read.
func makePrivate(dir string) error {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("find out who we are: %w", err)
	}
	const all = "(A;OICI;FA;;;" // also for what is made in it
	sd, err := windows.SecurityDescriptorFromString("D:P" + all + "SY)" + all + "BA)" + all + user.User.Sid.String() + ")")
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, user.User.Sid, nil, dacl, nil); err != nil {
		return fmt.Errorf("make %s private: %w", dir, err)
	}
	return nil
}
