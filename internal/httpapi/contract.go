package httpapi

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"github.com/seed-9c856424/registrar/gen/api"
)

// contract is the embedded contract as this server keeps it: with its own address, and
// with the form of a registration that it answers by default.
type contract struct {
	yaml, json []byte
	operations map[routed]*operation
}

// routed is how the router knows an operation, below the issuer's path.
type routed struct{ method, path string }

// operation is what the contract demands of a request.
type operation struct {
	route *routers.Route
	id    string
	// secured operations need a registration access token, and one that registers takes an
	// initial access token.
	secured    bool
	registers  bool
	parameters openapi3.Parameters
	// page operations answer people: their errors are pages too.
	page bool
	// private operations are the forms of our own pages, which no other site may send.
	private bool
	// body is the schema of the body, nil where the operation takes none; form says that it
	// is a form and not JSON.
	body *openapi3.Schema
	form bool
	// members are the names that the body's schema declares, forbidden those of them that
	// must not be sent.
	members   map[string]bool
	forbidden []string
}

// exampleIssuer is the address that the contract's examples and its server entry hold.
const exampleIssuer = "http://localhost:8080"

// bareByDefault is how the contract declares the default form of a registration.
const (
	bareByDefault      = "application/json:\n          schema:\n            $ref: '#/components/schemas/ClientInformation'\n"
	envelopedByDefault = "application/json:\n          schema:\n            $ref: '#/components/schemas/ClientInformationEnvelope'\n"
)

func loadContract(issuer string, enveloped bool) (*contract, error) {
	text := bytes.ReplaceAll(api.ContractYAML, []byte(exampleIssuer), []byte(issuer))
	if enveloped {
		text = bytes.ReplaceAll(text, []byte(bareByDefault), []byte(envelopedByDefault))
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	encoded, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode the contract: %w", err)
	}
	c := &contract{yaml: text, json: encoded, operations: map[routed]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c.operations[routed{method, routerPath(path)}] = newOperation(doc, path, item, method, op)
		}
	}
	return c, nil
}

const (
	mimeJSON = "application/json"
	mimeForm = "application/x-www-form-urlencoded"
	mimeHTML = "text/html"
)

func newOperation(doc *openapi3.T, path string, item *openapi3.PathItem, method string, op *openapi3.Operation) *operation {
	o := &operation{
		route:      &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
		id:         op.OperationID,
		secured:    demands(op, "registrationAccessToken"),
		registers:  demands(op, "initialAccessToken"),
		page:       op.Responses.Status(http.StatusInternalServerError).Value.Content[mimeHTML] != nil,
		private:    method == http.MethodPost && slices.Contains(op.Tags, "user"),
		parameters: slices.DeleteFunc(slices.Concat(item.Parameters, op.Parameters), isAnyText),
	}
	if op.RequestBody != nil {
		o.describeBody(op.RequestBody.Value.Content)
	}
	return o
}

func (o *operation) describeBody(content openapi3.Content) {
	media := content[mimeJSON]
	if media == nil {
		media, o.form = content[mimeForm], true
	}
	o.body, o.members = media.Schema.Value, map[string]bool{}
	for name, schema := range declared(o.body) {
		o.members[name] = true
		if schema.Value.Not != nil {
			o.forbidden = append(o.forbidden, name)
		}
	}
	slices.Sort(o.forbidden)
}

// isAnyText reports whether the parameter is a part of the path that can be any text: what
// the router found there is valid.
func isAnyText(p *openapi3.ParameterRef) bool {
	schema := p.Value.Schema.Value
	return p.Value.In == openapi3.ParameterInPath && schema.Type.Is("string") &&
		schema.MinLength == 0 && schema.MaxLength == nil && schema.Pattern == "" && schema.Enum == nil
}

// demands reports whether the operation needs the credentials of this scheme.
func demands(op *openapi3.Operation, scheme string) bool {
	return op.Security != nil && slices.ContainsFunc(*op.Security, func(r openapi3.SecurityRequirement) bool {
		_, named := r[scheme]
		return named
	})
}

// declared returns the members that a schema describes.
func declared(schema *openapi3.Schema) openapi3.Schemas {
	members := openapi3.Schemas{}
	maps.Copy(members, schema.Properties)
	for _, part := range schema.AllOf {
		maps.Copy(members, declared(part.Value))
	}
	return members
}

// routerPath spells a path of the contract for the router: {client_id} as :client_id.
func routerPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
