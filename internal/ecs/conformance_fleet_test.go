package ecs_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/fleet"
)

// MI-3: what is deleted is told once more.
func TestDeletedActivationsAreTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type activation struct {
			ActivationId, Description, InstanceName, IpAddressRange string
			InstanceCount, TimeToLiveInHours                        int
		}
		id := call[struct{ ActivationId string }](h, "CreateActivation", values{
			"Description": "for the shop", "InstanceName": "shop", "IpAddressRange": "203.0.113.0/24", "InstanceCount": "7", "TimeToLiveInHours": "2",
		}).ActivationId
		got := call[struct{ Activation activation }](h, "DeleteActivation", values{"ActivationId": id}).Activation
		if diff := cmp.Diff(activation{id, "for the shop", "shop", "203.0.113.0/24", 7, 2}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.refused("DeleteActivation", values{"ActivationId": id}, 404, "ActivationId.NotFound")
	})
}

// HB-3, MI-7: what a machine has done is counted, and told until it is gone.
func TestMachinesTellWhatTheyHaveDone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type done struct {
			InvocationCount int
			LastInvokedTime string
		}
		busy, idle := h.online(), h.online()
		for range 2 {
			h.ran(script(busy), map[string]orderly.Report{busy: h.ended(orderly.Success, 0, "")})
		}
		for id, count := range map[string]int{busy: 2, idle: 0} {
			listed := call[struct{ Instances []done }](h, "DescribeManagedInstances", values{"InstanceId.1": id}).Instances[0]
			gone := call[struct{ Instance done }](h, "DeregisterManagedInstance", values{"InstanceId": id}).Instance
			if listed.InvocationCount != count || (listed.LastInvokedTime != "") != (count > 0) || gone != listed {
				t.Errorf("listed %+v, told when it goes %+v, want %d commands", listed, gone, count)
			}
		}
	})
}

// MI-6, MI-8: machines are found by the ID of their hardware.
func TestMachinesAreFoundByTheirHardware(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		act := call[struct{ ActivationId, ActivationCode string }](h, "CreateActivation", nil)
		ids := map[string]string{}
		for _, hardware := range []string{"machine-a", "machine-b"} {
			ids[hardware] = h.registerHardware(act.ActivationId, act.ActivationCode, hardware)
		}
		for hardware, id := range ids {
			if got := call[instances](h, "DescribeManagedInstances", values{"MachineId": hardware}); !slices.Equal(got.ids(), []string{id}) {
				t.Errorf("%s: %v, want %s", hardware, got.ids(), id)
			}
		}
	})
}

func (h *house) registerHardware(id, code, hardware string) string {
	h.t.Helper()
	user, err := nkeys.CreateUser()
	must(h.t, err)
	public, err := user.PublicKey()
	must(h.t, err)
	i, err := h.fleet.Register(h.t.Context(), fleet.Registration{
		ActivationID: id, ActivationCode: code, From: netip.MustParseAddr("203.0.113.7"),
		Instance: orderly.Instance{PublicKey: public, MachineID: hardware, Hostname: fmt.Sprint("host of ", hardware), OS: orderly.Linux},
	})
	must(h.t, err)
	return i.ID
}
