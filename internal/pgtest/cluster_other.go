//go:build !unix

package pgtest

import "errors"

// startCluster is only written for Unix; elsewhere tests need a server that is there already.
func startCluster(bool) (*cluster, error) {
	return nil, errors.New("no throwaway cluster on this operating system")
}
