package store

import (
	"encoding/json"
	"errors"

	"github.com/orderly-run/orderly"
)

// LockInvocation finds an invocation that a caller knows of as it is now, and keeps others from changing
// its tasks' counts until the transaction ends; ErrNotFound when there is none. Tasks are locked before it.
func (t *Tx) LockInvocation(by orderly.Caller, region, id string) (orderly.Invocation, error) {
	v, err := scanInvocation(t.row(`select `+invocationColumns+`, `+counterColumns+` from `+invocationRows+
		` where v.id = $1 and v.account = $2 and v.region = $3 and v.building = 0`+forUpdateOf(t, "c"), id, by.Account, shelved(by.Realm, region)))
	if errors.Is(err, errNothing) {
		return v, ErrNotFound
	}
	return v, err
}

// SaveInvocation stores what can change of an invocation that this transaction has locked (rule MIA-2).
func (t *Tx) SaveInvocation(v orderly.Invocation) error {
	params, err := json.Marshal(v.Parameters)
	if err != nil {
		return err
	}
	c := v.Command
	_, err = t.exec(`update invocations set command = $2, content = $3, enable_parameter = $4, parameters = $5, frequency = $6, version = $7, size = $8 where seq = $1`,
		v.Seq, c.ID, blob(c.Content), flag(c.EnableParameter), string(params), v.Frequency, v.Version, v.Size)
	return err
}
