package swas

import (
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// codes is the one table from reasons to what callers see. No text lists the codes of this dialect:
// they are the nearest of ECS, with the same statuses, and speak of the parameters of this one.
var codes = rpc.SharedCodes(map[orderly.Reason]rpc.Code{
	orderly.TargetMissing: {Status: http.StatusBadRequest, Code: "MissingParameter.InstanceIds", Message: "You must specify InstanceIds."},
	orderly.TagsMissing:   {Status: http.StatusBadRequest, Code: "MissingParameter.TagKey", Message: "You must specify TagKey."},
})

// Refusals that are no reasons of ours but of this dialect.
var (
	operationNotOffered = &rpc.Error{Status: http.StatusBadRequest, Code: "RegionId.ApiNotSupported", Message: "The api is not supported in this region."}
	languageUnknown     = &rpc.Error{Status: http.StatusNotFound, Code: "InvalidAcceptLanguage.NotFound", Message: "The specified AcceptLanguage does not exist."}
)
