package gateway

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/wire"
)

// problems is what a refused registration is answered with.
var problems = map[orderly.Reason]struct {
	status int
	code   string
}{
	orderly.ActivationRefused:        {http.StatusForbidden, "ActivationRefused"},
	orderly.ActivationExpired:        {http.StatusForbidden, "ActivationExpired"},
	orderly.ActivationDisabled:       {http.StatusForbidden, "ActivationDisabled"},
	orderly.ActivationUsedUp:         {http.StatusForbidden, "ActivationUsedUp"},
	orderly.ActivationAddressRefused: {http.StatusForbidden, "ActivationAddressRefused"},
	orderly.RegistrationMalformed:    {http.StatusBadRequest, "RegistrationMalformed"},
	orderly.InstanceNameTooLong:      {http.StatusBadRequest, "InstanceName.ExceedLimit"},
	orderly.InstanceNameInvalid:      {http.StatusBadRequest, "InstanceName.InvalidPattern"},
	orderly.TagsTooMany:              {http.StatusBadRequest, "NumberExceed.Tags"},
	orderly.TagKeyMissing:            {http.StatusBadRequest, "MissingParameter.TagKey"},
	orderly.TagKeyMalformed:          {http.StatusBadRequest, "InvalidTagKey.Malformed"},
	orderly.TagValueMalformed:        {http.StatusBadRequest, "InvalidTagValue.Malformed"},
	orderly.TagKeyDuplicate:          {http.StatusBadRequest, "Duplicate.TagKey"},
}

// maxRegistration is the size of a registration's body.
const maxRegistration = 64 << 10

// ServeHTTP registers a machine; it is for wire.RegisterPath.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeJSON(w, http.StatusMethodNotAllowed, wire.Problem{Code: "MethodNotAllowed", Message: "register with POST"})
		return
	}
	answer, err := g.register(w, r)
	var reason orderly.Reason
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, answer)
	case errors.As(err, &reason) && problems[reason].code != "":
		p := problems[reason]
		g.cfg.Log.Warn("registration refused", "from", r.RemoteAddr, "code", p.code)
		writeJSON(w, p.status, wire.Problem{Code: p.code, Message: err.Error()})
	default:
		g.cfg.Log.Error("register", "from", r.RemoteAddr, "err", err)
		writeJSON(w, http.StatusInternalServerError, wire.Problem{Code: "InternalError", Message: "the server could not register the machine; try again"})
	}
}

func (g *Gateway) register(w http.ResponseWriter, r *http.Request) (wire.Registered, error) {
	var q wire.Registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&q); err != nil {
		return wire.Registered{}, orderly.RegistrationMalformed.Errorf("the body is no registration in JSON")
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return wire.Registered{}, err
	}
	i, err := g.fleet.Register(r.Context(), fleet.Registration{
		ActivationID: q.ActivationID, ActivationCode: q.ActivationCode, From: from.Addr(),
		Instance: orderly.Instance{
			Name: q.Name, PublicKey: q.PublicKey, MachineID: q.MachineID, Hostname: q.Hostname, OS: orderly.OSType(q.OS),
			OSVersion: q.OSVersion, AgentVersion: q.AgentVersion, IntranetIP: q.IntranetIP, Tags: q.Tags,
		},
	})
	if err != nil {
		return wire.Registered{}, err
	}
	g.cfg.Log.Info("audit", "action", "Register", "instance", i.ID, "activation", i.Activation, "source", r.RemoteAddr)
	return wire.Registered{
		InstanceID: i.ID, Region: i.Region, Name: i.Name, NATS: g.url(r.Host), CA: g.cfg.CA,
		Addresses: wire.Addresses{Servers: g.cfg.Servers, Buses: g.advertised()},
	}, nil
}

// scheme is that of the bus's URLs.
func (g *Gateway) scheme() string {
	if g.bus.cfg.TLS != nil || g.cfg.CA != "" {
		return "tls://"
	}
	return "nats://"
}

// advertised are the URLs at which the bus is said to be, none when nothing is said.
func (g *Gateway) advertised() (list []string) {
	for text := range strings.SplitSeq(g.cfg.Advertise, ",") {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case strings.Contains(text, "://"):
			list = append(list, text)
		default:
			list = append(list, g.scheme()+text)
		}
	}
	return list
}

// url is where the bus is for a machine that reached this server as host.
func (g *Gateway) url(host string) string {
	if list := g.advertised(); len(list) > 0 {
		return list[0]
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return g.scheme() + net.JoinHostPort(name, g.bus.Port())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}
