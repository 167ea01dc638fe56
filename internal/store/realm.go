package store

import "strings"

// Commands and invocations, and all that they are found by, are kept by account and region. Those of a
// realm other than the first, which has no name, stand in the column region under a name of their own
// there, which no region has: so no list and no index knows of realms.

// shelved is what stands in the column region for a region in a realm.
func shelved(realm, region string) string {
	if realm == "" {
		return region
	}
	return region + " " + realm
}

// unshelved reads what shelved made.
func unshelved(text string) (realm, region string) {
	region, realm, _ = strings.Cut(text, " ")
	return realm, region
}
