package ecs

import (
	"context"
	"slices"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// describeRegions is the one operation that takes no region.
const describeRegions = "DescribeRegions"

type describeRegionsRequest struct {
	AcceptLanguage     string
	InstanceChargeType string
	ResourceType       string
}

type describeRegionsResponse struct{ Regions wrappedRegions }

type wrappedRegions struct{ Region []shownRegion }

type shownRegion struct {
	RegionId       string
	LocalName      string
	RegionEndpoint string
	Status         string
}

// The values that DescribeRegions knows. Every region offers the same, in one language: its ID.
var (
	languages     = []string{"", "zh-CN", "en-US", "ja", "fr", "de", "ko"}
	chargeTypes   = []string{"", "PrePaid", "PostPaid", "SpotWithPriceLimit", "SpotAsPriceGo"}
	resourceTypes = []string{"", "instance", "disk", "reservedinstance", "scu"}
)

func (d *Dialect) describeRegions(_ context.Context, _ orderly.Caller, req describeRegionsRequest) (describeRegionsResponse, error) {
	var resp describeRegionsResponse
	switch {
	case !slices.Contains(languages, req.AcceptLanguage):
		return resp, &rpc.Error{Status: notFound, Code: "InvalidAcceptLanguage.NotFound", Message: "The specified AcceptLanguage does not exist."}
	case !slices.Contains(resourceTypes, req.ResourceType):
		return resp, orderly.ResourceTypeUnknown
	case !slices.Contains(chargeTypes, req.InstanceChargeType):
		return resp, rpc.Invalid("InstanceChargeType", "The specified parameter %s is not valid.")
	}
	for _, id := range d.engine.Regions() {
		resp.Regions.Region = append(resp.Regions.Region, shownRegion{id, id, d.endpoint(id), "available"})
	}
	return resp, nil
}
