package orderly_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
)

func TestActivationForm(t *testing.T) { // MI-1
	ceilings := orderly.ActivationLimits{Hours: 4, Instances: 1000}
	tests := []struct {
		name   string
		change func(*orderly.Activation)
		err    error
	}{
		{"defaults", func(*orderly.Activation) {}, nil},
		{"1 h", func(a *orderly.Activation) { a.TTL = time.Hour }, nil},
		{"no time", func(a *orderly.Activation) { a.TTL = 0 }, orderly.ActivationTTLInvalid},
		{"5 h", func(a *orderly.Activation) { a.TTL = 5 * time.Hour }, orderly.ActivationTTLInvalid},
		{"1 instance", func(a *orderly.Activation) { a.Count = 1 }, nil},
		{"no instance", func(a *orderly.Activation) { a.Count = 0 }, orderly.ActivationCountInvalid},
		{"1000 instances", func(a *orderly.Activation) { a.Count = 1000 }, nil},
		{"1001 instances", func(a *orderly.Activation) { a.Count = 1001 }, orderly.ActivationCountInvalid},
		{"description of 100", func(a *orderly.Activation) { a.Description = chars(100) }, nil},
		{"description of 101", func(a *orderly.Activation) { a.Description = chars(101) }, orderly.ActivationDescTooLong},
		{"prefix of 2", func(a *orderly.Activation) { a.NamePrefix = "ab" }, nil},
		{"prefix of 1", func(a *orderly.Activation) { a.NamePrefix = "a" }, orderly.InstanceNameTooLong},
		{"prefix of 50", func(a *orderly.Activation) { a.NamePrefix = chars(50) }, nil},
		{"prefix of 51", func(a *orderly.Activation) { a.NamePrefix = chars(51) }, orderly.InstanceNameTooLong},
		{"prefix with a blank", func(a *orderly.Activation) { a.NamePrefix = "web 1" }, orderly.InstanceNameInvalid},
		{"an IPv4 address", func(a *orderly.Activation) { a.AddressRange = "10.0.0.1" }, nil},
		{"an IPv6 address", func(a *orderly.Activation) { a.AddressRange = "2001:db8::1" }, nil},
		{"a CIDR block", func(a *orderly.Activation) { a.AddressRange = "10.0.0.0/8" }, nil},
		{"an IPv6 CIDR block", func(a *orderly.Activation) { a.AddressRange = "2001:db8::/32" }, nil},
		{"too many bits", func(a *orderly.Activation) { a.AddressRange = "10.0.0.0/33" }, orderly.AddressRangeInvalid},
		{"no address", func(a *orderly.Activation) { a.AddressRange = "10.0.0" }, orderly.AddressRangeInvalid},
		{"a host name", func(a *orderly.Activation) { a.AddressRange = "localhost" }, orderly.AddressRangeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := orderly.Activation{TTL: 4 * time.Hour, Count: 10}
			tt.change(&a)
			if err := a.Check(ceilings); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("Check = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestActivationAdmits(t *testing.T) { // MI-2
	tests := []struct {
		name   string
		change func(*orderly.Activation)
		now    time.Time
		from   string
		err    error
	}{
		{"fresh", func(*orderly.Activation) {}, at(0), "192.0.2.1", nil},
		{"as old as its TTL", func(*orderly.Activation) {}, at(3600), "192.0.2.1", nil},
		{"older than its TTL", func(*orderly.Activation) {}, at(3600.001), "192.0.2.1", orderly.ActivationExpired},
		{"disabled", func(a *orderly.Activation) { a.Disabled = true }, at(0), "192.0.2.1", orderly.ActivationDisabled},
		{"one use left", func(a *orderly.Activation) { a.Registered = 2 }, at(0), "192.0.2.1", nil},
		{"used up", func(a *orderly.Activation) { a.Registered = 3 }, at(0), "192.0.2.1", orderly.ActivationUsedUp},
		{"a use is not given back", func(a *orderly.Activation) { a.Registered, a.Deregistered = 3, 3 }, at(0), "192.0.2.1", orderly.ActivationUsedUp},
		{"its address", func(a *orderly.Activation) { a.AddressRange = "192.0.2.1" }, at(0), "192.0.2.1", nil},
		{"another address", func(a *orderly.Activation) { a.AddressRange = "192.0.2.1" }, at(0), "192.0.2.2", orderly.ActivationAddressRefused},
		{"in the block", func(a *orderly.Activation) { a.AddressRange = "192.0.2.77/24" }, at(0), "192.0.2.255", nil},
		{"outside the block", func(a *orderly.Activation) { a.AddressRange = "192.0.2.77/24" }, at(0), "192.0.3.0", orderly.ActivationAddressRefused},
		{"IPv4 in IPv6 spelling", func(a *orderly.Activation) { a.AddressRange = "192.0.2.0/24" }, at(0), "::ffff:192.0.2.1", nil},
		{"range in IPv6 spelling", func(a *orderly.Activation) { a.AddressRange = "::ffff:192.0.2.1" }, at(0), "192.0.2.1", nil},
		{"block in IPv6 spelling", func(a *orderly.Activation) { a.AddressRange = "::ffff:192.0.2.0/120" }, at(0), "192.0.2.9", nil},
		{"outside a block in IPv6 spelling", func(a *orderly.Activation) { a.AddressRange = "::ffff:192.0.2.0/120" }, at(0), "192.0.3.9", orderly.ActivationAddressRefused},
		{"IPv6", func(a *orderly.Activation) { a.AddressRange = "2001:db8::/32" }, at(0), "2001:db8::7", nil},
		{"IPv4 outside an IPv6 block", func(a *orderly.Activation) { a.AddressRange = "2001:db8::/32" }, at(0), "192.0.2.1", orderly.ActivationAddressRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := orderly.Activation{TTL: time.Hour, Count: 3, Created: born}
			tt.change(&a)
			if err := a.Admits(tt.now, netip.MustParseAddr(tt.from)); !errors.Is(err, tt.err) {
				t.Errorf("Admits = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestNameOfARegisteredInstance(t *testing.T) { // MI-4
	tests := []struct {
		prefix string
		count  int
		n      int
		given  string
		want   string
	}{
		{"web", 9, 1, "", "web-1"},
		{"web", 10, 1, "", "web-01"},
		{"web", 100, 1, "", "web-001"},
		{"web", 100, 100, "", "web-100"},
		{"web", 1000, 12, "", "web-0012"},
		{"web", 10, 1, "mine", "mine"},
		{"", 10, 1, "mine", "mine"},
		{"", 10, 1, "", "host"},
	}
	for _, tt := range tests {
		a := orderly.Activation{NamePrefix: tt.prefix, Count: tt.count}
		if got := a.InstanceName(tt.n, tt.given, "host"); got != tt.want {
			t.Errorf("prefix %q of %d, number %d, given %q: %q, want %q", tt.prefix, tt.count, tt.n, tt.given, got, tt.want)
		}
	}
}

func TestInstanceName(t *testing.T) { // MI-1, MI-8
	tests := []struct {
		name string
		err  error
	}{
		{"", orderly.InstanceNameTooLong},
		{"a", orderly.InstanceNameTooLong},
		{"ab", nil},
		{chars(128), nil},
		{chars(129), orderly.InstanceNameTooLong},
		{"web-01.eu_west:2", nil},
		{"中文", nil},
		{"1web", orderly.InstanceNameInvalid},
		{"-web", orderly.InstanceNameInvalid},
		{"web 1", orderly.InstanceNameInvalid},
		{"web\n", orderly.InstanceNameInvalid},
		{"http://web", orderly.InstanceNameInvalid},
		{"ahttps://web", orderly.InstanceNameInvalid},
	}
	for _, tt := range tests {
		if err := orderly.CheckInstanceName(tt.name, 128); !errors.Is(err, tt.err) {
			t.Errorf("CheckInstanceName(%q) = %v, want %v", strings.ToValidUTF8(tt.name, "?"), err, tt.err)
		}
	}
}

func TestPresenceIsFresh(t *testing.T) { // HB-1
	p := orderly.Presence{Heartbeat: born}
	for s, want := range map[float64]bool{0: true, 119: true, 120: true, 120.001: false} {
		if got := p.Fresh(at(s), orderly.DefaultLimits.Fresh); got != want {
			t.Errorf("%g s after a heartbeat: %t, want %t", s, got, want)
		}
	}
	if (orderly.Presence{}).Fresh(time.Time{}.Add(time.Second), time.Minute) {
		t.Error("without any heartbeat: true, want false")
	}
}

// What T3 ends at once is Stopped, and nothing else is.
func TestInstanceStatus(t *testing.T) {
	limit := orderly.DefaultLimits.Fresh
	for _, tt := range []struct {
		name string
		p    orderly.Presence
		want orderly.InstanceStatus
	}{
		{"heard of", orderly.Presence{LinkedAt: at(-300), Heartbeat: at(-119)}, orderly.InstanceRunning},
		{"not heard of for long", orderly.Presence{LinkedAt: at(-300), Heartbeat: at(-121)}, orderly.InstanceStopped},
		{"link lost just now", orderly.Presence{LinkedAt: at(-1), Heartbeat: at(-121)}, orderly.InstanceStopped},
		{"just registered", orderly.Presence{LinkedAt: at(-119)}, orderly.InstanceStarting},
		{"registered, never heard of", orderly.Presence{LinkedAt: at(-121)}, orderly.InstanceStopped},
	} {
		got := tt.p.Status(born, limit)
		if got != tt.want || (got != orderly.InstanceStopped) != tt.p.Expected(born, limit) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
