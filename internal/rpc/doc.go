// Package rpc is the RPC style that all dialects of the API share: one path, GET or POST, the
// operation named by Action, the dialect by Version. It decodes, authenticates, authorizes,
// calls the action's function, encodes, and turns errors into answers, so that a dialect is a
// table of actions and a table of codes.
//
// # One request
//
// The parameters are those of the query and of a form body together; in both, the form wins.
// A request is V3 when it has an ACS3 Authorization header or names its action in x-acs-action
// alone; then its common parameters are headers. Otherwise it is V1 and they are parameters.
// Checks are made in this order, and the first that fails decides the answer:
//
//  1. HTTP method, size, readable parameters
//  2. Action and Version known
//  3. required common parameters
//  4. timestamp within [Window]
//  5. access key known and enabled
//  6. signature
//  7. nonce unused: a failed signature does not burn one
//  8. permission (Config.Authorize)
//  9. the dialect's own check before decoding (API.Check)
//  10. required parameters, the dialect's check of forms (API.Form), the form of each parameter,
//     then the action itself
//
// # Parameters into structs
//
// A request struct has one exported field for each parameter, by the parameter's name or by a tag:
//
//	RegionId   string   `rpc:",required"`
//	PageSize   *int64   `rpc:",code=InvalidParam.PageSize"`
//	InstanceId []string `rpc:",unless=ResourceTag,missing=MissingParam.InstanceId"`
//	Tag        []struct{ Key, Value string }
//
// Fields are string, bool, int, int64 or pointers to them (nil when absent), slices of those,
// structs in slices, and embedded structs, whose fields count as their parent's. The list Tag
// reads Tag.1.Key, Tag.1.Value and so on, sorted by number, gaps allowed; a bare InstanceId=x is a
// list of one. An empty number or bool counts as absent. Unknown parameters are ignored. With
// unless=Other a parameter is required where Other is not given, and with when=Other:value where
// Other has exactly that value.
//
// # Structs into answers
//
// A response struct's field names, or the names in their tags, are those on the wire, in JSON and
// in XML; RequestId is put in front of them. A list that the dialect wraps is a struct with one slice field. A nil slice is
// [] in JSON and nothing in XML, a nil pointer is left out, an empty string is shown. A map is an object, in XML
// with an element for each key, whose name has _ for what no name can have.
package rpc
