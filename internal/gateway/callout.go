package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// Subjects between servers and the bus.
const (
	calloutSubject    = "$SYS.REQ.USER.AUTH"
	disconnectSubject = "$SYS.ACCOUNT." + busAccount + ".DISCONNECT"
	goneSubject       = "orderly.ctl.gone" // an instance was deregistered on another server
)

// A client is one connection of an agent, as NATS names it.
type client struct {
	server string
	id     uint64
}

// A seat is whose connection a client is.
type seat struct{ instance, link string }

// callout answers who may connect.
type callout struct {
	db     *store.DB
	issuer nkeys.KeyPair

	mu      sync.RWMutex
	keys    map[string]string // public key → instance
	gone    map[string]bool   // instances that were deregistered
	clients map[client]seat
	links   map[seat]int // how many of clients each one has
}

func newCallout(db *store.DB, issuer nkeys.KeyPair) *callout {
	return &callout{db: db, issuer: issuer, keys: map[string]string{}, gone: map[string]bool{}, clients: map[client]seat{}, links: map[seat]int{}}
}

// load fills the memory copy of the keys.
func (c *callout) load(ctx context.Context) error {
	keys := map[string]string{}
	if err := c.db.Keyholders(ctx, func(k store.Keyholder) { keys[k.PublicKey] = k.Instance }); err != nil {
		return fmt.Errorf("load the keys of agents: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = keys
	return nil
}

var errRefused = errors.New("unknown key or wrong signature")

// answer answers one request of NATS.
func (c *callout) answer(ctx context.Context, m *nats.Msg) {
	rc, err := jwt.DecodeAuthorizationRequestClaims(string(m.Data))
	if err != nil {
		return // not from NATS; there is nobody to answer
	}
	res := jwt.NewAuthorizationResponseClaims(rc.UserNkey)
	res.Audience = rc.Server.ID
	if res.Jwt, err = c.admit(ctx, rc); err != nil {
		res.Error = err.Error()
	}
	token, err := res.Encode(c.issuer)
	if err != nil {
		return
	}
	_ = m.Respond([]byte(token))
}

// admit is the permission of the agent that asks to connect.
func (c *callout) admit(ctx context.Context, rc *jwt.AuthorizationRequestClaims) (string, error) {
	o := rc.ConnectOptions
	if err := verify(o.Nkey, o.SignedNonce, rc.ClientInformation.Nonce); err != nil {
		return "", err
	}
	instance, err := c.instance(ctx, o.Nkey)
	if err != nil {
		return "", err
	}
	u := jwt.NewUserClaims(rc.UserNkey)
	u.Name, u.Audience = instance, busAccount
	u.Pub.Allow.Add(wire.FromSubject(instance, wire.KindHello), wire.FromSubject(instance, wire.KindReport), wire.FromSubject(instance, wire.KindBeat))
	u.Sub.Allow.Add(wire.ToPattern(instance))
	u.Subs = 4
	u.Limits.Payload = 512 << 10
	token, err := u.Encode(c.issuer)
	if err != nil {
		return "", err
	}
	if !c.seated(client{rc.Server.ID, rc.ClientInformation.ID}, seat{instance, linkNamed(o.Name)}) {
		return "", errRefused
	}
	return token, nil
}

// seated notes whose connection a client is; false when the instance was deregistered.
func (c *callout) seated(cl client, s seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone[s.instance] {
		return false
	}
	c.clients[cl] = s
	c.links[s]++
	return true
}

// linkNamed is the link that a connection is named by, "" when it has another name: a link becomes
// part of subjects.
func linkNamed(name string) string {
	if !token.MatchString(name) {
		return ""
	}
	return name
}

// verify checks that a connection holds the private half of a key: it signed the nonce.
func verify(key, signature, nonce string) error {
	if nonce == "" || !nkeys.IsValidPublicUserKey(key) {
		return errRefused
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return errRefused
	}
	pub, err := nkeys.FromPublicKey(key)
	if err != nil || pub.Verify([]byte(nonce), sig) != nil {
		return errRefused
	}
	return nil
}

// lookup is how long the database may take: others wait behind whoever comes with an unknown key.
const lookup = 5 * time.Second

// instance is whose key it is. One that is not in memory may have been registered on another server.
func (c *callout) instance(ctx context.Context, key string) (string, error) {
	c.mu.RLock()
	id, ok := c.keys[key]
	c.mu.RUnlock()
	if ok {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	id, err := c.db.Keyholder(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return "", errRefused
	}
	if err != nil {
		return "", errors.New("the database does not answer") // the agent tries again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[key] = id
	return id, nil
}

// forget drops an instance and returns its connections.
func (c *callout) forget(instance string) []client {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[instance] = true
	for k, id := range c.keys {
		if id == instance {
			delete(c.keys, k)
		}
	}
	var list []client
	for cl, s := range c.clients {
		if s.instance == instance {
			list = append(list, cl)
		}
	}
	return list
}

// left tells whose last connection has ended.
func (c *callout) left(data []byte) (seat, bool) {
	var e struct {
		Server struct{ ID string }
		Client struct{ ID uint64 }
	}
	if json.Unmarshal(data, &e) != nil {
		return seat{}, false
	}
	return c.drop(client{e.Server.ID, e.Client.ID})
}

// missed drops connections that have ended without anybody's telling, and returns whose last ones they were: NATS says
// nothing of one that it gave up before it had the answer who that is.
func (c *callout) missed(lives func(client) bool) []seat {
	c.mu.RLock()
	all := slices.Collect(maps.Keys(c.clients))
	c.mu.RUnlock()
	var ended []seat
	for _, cl := range all {
		if lives(cl) {
			continue
		}
		if s, ok := c.drop(cl); ok {
			ended = append(ended, s)
		}
	}
	return ended
}

// drop notes the end of a connection, and tells whose last one it was.
func (c *callout) drop(cl client) (seat, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.clients[cl]
	if !ok {
		return seat{}, false
	}
	delete(c.clients, cl)
	if c.links[s]--; c.links[s] > 0 {
		return seat{}, false // it has connected anew before this end was noticed
	}
	delete(c.links, s)
	return s, true
}

// seat is whose connection a client is.
func (c *callout) seat(cl client) (seat, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.clients[cl]
	return s, ok
}

// holds reports whether a link has a connection.
func (c *callout) holds(link seat) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.links[link] > 0
}

// alone reports whether an instance has no more than one connection.
func (c *callout) alone(instance string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := 0
	for _, s := range c.clients {
		if s.instance == instance {
			n++
		}
	}
	return n <= 1
}
