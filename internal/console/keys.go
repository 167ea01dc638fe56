package console

import (
	"errors"
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

type keysBody struct {
	Keys []store.AccessKey
	Made store.AccessKey // shown this once; zero when none was made
}

func (c *Console) keysPage(v *visit) error { return c.showKeys(v, keysBody{}) }

func (c *Console) showKeys(v *visit, b keysBody) error {
	var err error
	if b.Keys, err = c.cfg.Store.KeysOf(v.Context(), v.caller.Account); err != nil {
		return err
	}
	return c.show(v, http.StatusOK, "keys", &frame{Title: "Access keys", Nav: "keys", Same: []line{
		{"On the server", "orderly key list"}, {"On the server", "orderly key create"}, {"On the server", "orderly key disable KEY_ID"},
	}}, b)
}

// createKey makes an access key for the account. Its secret is shown by the answer and never again.
func (c *Console) createKey(v *visit) error {
	k := c.cfg.NewKey(v.caller.Account)
	if err := c.cfg.Store.Write(v.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddKey(k) }); err != nil {
		return err
	}
	v.secret = true
	return c.showKeys(v, keysBody{Made: k})
}

func (c *Console) disableKeyPage(v *visit) error {
	id := v.PathValue("id")
	facts := []string{"Requests that are signed with it are refused from now on, and who signed in to the console with it is signed out.", "It cannot be enabled again."}
	if id == v.caller.KeyID {
		facts = append(facts, "You are signed in with this very key.")
	}
	return c.show(v, http.StatusOK, "confirm", &frame{Title: "Disable " + id, Nav: "keys", Same: []line{{"On the server", words("orderly", "key", "disable", id)}}}, confirm{
		Question: "Disable the access key " + id + "?", Facts: facts, Verb: "Disable the key", Danger: true, Back: v.in("keys"),
	})
}

// lastKey refuses what would lock the account out.
const lastKey orderly.Reason = "this is the only key that is enabled: make another one first"

func (c *Console) disableKey(v *visit) error {
	err := c.cfg.Store.Write(v.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKeyOf(v.caller.Account, v.PathValue("id")) })
	if errors.Is(err, store.ErrTaken) {
		return lastKey
	}
	if err != nil {
		return err
	}
	return v.to(v.in("keys"))
}
