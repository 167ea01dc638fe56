package orderly

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An OSType is the family of an instance's operating system, in the spelling of
// DescribeManagedInstances.
type OSType string

// The families.
const (
	Linux   OSType = "linux"
	Windows OSType = "windows"
	FreeBSD OSType = "FreeBSD"
)

// An Instance is a registered machine.
type Instance struct {
	Seq           int64
	ID            string
	Account       string
	Region        string
	Name          string
	Activation    string // ID of the activation it registered with
	PublicKey     string // NKey of its agent; the private half never leaves the machine
	MachineID     string
	Hostname      string
	OS            OSType
	OSVersion     string
	AgentVersion  string
	IntranetIP    string
	InternetIP    string
	ResourceGroup string
	Tags          []Tag
	Registered    time.Time
	Invocations   int       // tasks completed on it (HB-3)
	LastInvoked   time.Time // start of its newest run (HB-3)
	Active        int       // tasks Running or Stopping (HB-3)
	Presence      Presence
}

// A Boot names one life of an agent's journal on one boot of its machine. A task that was handed to
// one Boot is never sent to another (rule HND-4).
type Boot struct {
	Incarnation string // made with the agent's journal: new after a reinstall or a lost journal
	ID          string // of the machine's boot
}

// Zero reports whether b names nothing: a task with it was never handed over.
func (b Boot) Zero() bool { return b == Boot{} }

// Presence is what is known of an instance's agent now.
type Presence struct {
	Link      string    // the live link, one process of the agent; "" when none is up
	Boot      Boot      // of the newest link
	LinkedAt  time.Time // when the link last came up or went down; when it was registered, before the first
	Heartbeat time.Time // last sign of life
}

// Fresh reports whether a sign of life came within the last two minutes (HB-1), which is what
// CloudAssistantStatus and Connected show; limit is that time.
func (p Presence) Fresh(now time.Time, limit time.Duration) bool {
	return !p.Heartbeat.IsZero() && now.Sub(p.Heartbeat) <= limit
}

// Expected reports whether an agent is here or may well come in a moment: it gave a sign of life
// within the limit, or was registered within it and has yet to give the first.
func (p Presence) Expected(now time.Time, limit time.Duration) bool {
	return p.Fresh(now, limit) || p.Heartbeat.IsZero() && !p.LinkedAt.IsZero() && now.Sub(p.LinkedAt) <= limit
}

// An InstanceStatus says whether a machine runs, as far as its agent tells.
type InstanceStatus string

// The statuses. There are published ones beside them, which no registered machine is ever in.
const (
	InstanceRunning  InstanceStatus = "Running"
	InstanceStarting InstanceStatus = "Starting" // just registered, and not heard of yet
	InstanceStopped  InstanceStatus = "Stopped"
)

// Status is that of a machine with presence p: what runs or starts is Expected.
func (p Presence) Status(now time.Time, limit time.Duration) InstanceStatus {
	switch {
	case p.Fresh(now, limit):
		return InstanceRunning
	case p.Expected(now, limit):
		return InstanceStarting
	}
	return InstanceStopped
}

// An Activation is a code with which machines register themselves.
type Activation struct {
	Seq           int64
	ID            string
	CodeHash      []byte // SHA-256 of the code, which is shown once only
	Account       string
	Region        string
	Description   string
	NamePrefix    string
	Count         int // how often it may be used
	AddressRange  string
	TTL           time.Duration
	ResourceGroup string
	Tags          []Tag
	Disabled      bool
	Registered    int // uses so far; only grows (MI-2)
	Deregistered  int
	Created       time.Time
}

// ActivationLimits are the configurable ceilings of MI-1.
type ActivationLimits struct {
	Hours     int
	Instances int
}

var namePattern = regexp.MustCompile(`^\pL[\pL\pN._:-]*$`)

// Check finds what is wrong with an activation's form, as a Reason (rule MI-1).
func (a *Activation) Check(l ActivationLimits) error {
	switch {
	case a.TTL < time.Hour || a.TTL > time.Duration(l.Hours)*time.Hour:
		return ActivationTTLInvalid
	case a.Count < 1 || a.Count > l.Instances:
		return ActivationCountInvalid
	case utf8.RuneCountInString(a.Description) > 100:
		return ActivationDescTooLong
	}
	if a.NamePrefix != "" {
		if err := CheckInstanceName(a.NamePrefix, 50); err != nil {
			return err
		}
	}
	if a.AddressRange != "" {
		if _, err := parseRange(a.AddressRange); err != nil {
			return AddressRangeInvalid
		}
	}
	return nil
}

// Admits reports, as a Reason, why a machine may not register with a at a time and from an
// address (rule MI-2).
func (a *Activation) Admits(now time.Time, from netip.Addr) error {
	switch {
	case a.Disabled:
		return ActivationDisabled
	case now.After(a.Created.Add(a.TTL)):
		return ActivationExpired
	case a.Registered >= a.Count:
		return ActivationUsedUp
	case a.AddressRange == "":
		return nil
	}
	p, err := parseRange(a.AddressRange)
	if err != nil || !p.Contains(from.Unmap()) {
		return ActivationAddressRefused
	}
	return nil
}

// InstanceName is the name of the n-th machine that registers with a; given is the name the machine
// asks for (rule MI-4).
func (a *Activation) InstanceName(n int, given, hostname string) string {
	switch {
	case given != "":
		return given
	case a.NamePrefix != "":
		return fmt.Sprintf("%s-%0*d", a.NamePrefix, len(strconv.Itoa(a.Count)), n)
	}
	return hostname
}

// CheckInstanceName finds what is wrong with an instance's name or prefix of at most limit
// characters (rules MI-1, MI-8).
func CheckInstanceName(name string, limit int) error {
	switch n := utf8.RuneCountInString(name); {
	case n < 2 || n > limit:
		return InstanceNameTooLong
	case strings.Contains(name, "http://") || strings.Contains(name, "https://") || !namePattern.MatchString(name):
		return InstanceNameInvalid
	}
	return nil
}

// parseRange reads an address or a CIDR block; one of IPv4 in the spelling of IPv6 is IPv4.
func parseRange(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}
