package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

func init() {
	// Pages are strings to the contract.
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("image/png", openapi3filter.FileBodyDecoder)
}

// contractTransport holds every answer to the contract: status, headers, content type and
// body, and that neither an undeclared member nor an undeclared header stands in it.
type contractTransport struct {
	doc    *openapi3.T
	router routers.Router
}

// newContractTransport reads the contract from the server that it will hold to it.
func newContractTransport(t *testing.T, url string) *contractTransport {
	t.Helper()
	response, err := http.Get(url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		// An issuer with a path serves its contract below it; such tests bring their own client.
		return nil
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contractTransport{doc: doc, router: router}
}

// RoundTrip fails where the answer breaks the contract.
func (c *contractTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	if err := c.check(r, response, text); err != nil {
		return nil, fmt.Errorf("%d %s breaks the contract: %w", response.StatusCode, text, err)
	}
	return response, nil
}

func (c *contractTransport) check(r *http.Request, response *http.Response, text []byte) error {
	if r.Method == http.MethodOptions || r.Method == http.MethodHead {
		return c.checkHeaders(response, nil)
	}
	route, params, err := c.router.FindRoute(r)
	// The router takes /oauth/register for /oauth/register/{client_id} without an id, and
	// leaves out a slash at the end.
	noParameter := slices.Contains(slices.Collect(maps.Values(params)), "")
	if err != nil || noParameter || strings.HasSuffix(r.URL.Path, "/") {
		return c.checkUnrouted(response, text)
	}
	declared := route.Operation.Responses.Status(response.StatusCode)
	if declared == nil {
		return fmt.Errorf("the status is not declared")
	}
	if err := c.checkHeaders(response, declared.Value.Headers); err != nil {
		return err
	}
	if err := checkMembers(declared.Value, response, text); err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 response.StatusCode,
		Header:                 response.Header,
		Body:                   io.NopCloser(bytes.NewReader(text)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// checkUnrouted holds what the router itself refuses to the problem schema.
func (c *contractTransport) checkUnrouted(response *http.Response, text []byte) error {
	if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
		return fmt.Errorf("no operation of the contract, yet not 404 or 405")
	}
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		return err
	}
	problem := c.doc.Components.Schemas["Problem"].Value
	if err := undeclared(problem, body, ""); err != nil {
		return err
	}
	return problem.VisitJSON(body)
}

// fixedHeaders may stand on every answer.
var fixedHeaders = []string{
	"Allow", "Cache-Control", "Connection", "Content-Length", "Content-Security-Policy", "Content-Type", "Date", "Pragma",
	"Referrer-Policy", "Strict-Transport-Security", "Vary", "X-Content-Type-Options", "X-Frame-Options", "X-Request-Id",
}

func (*contractTransport) checkHeaders(response *http.Response, declared openapi3.Headers) error {
	for name := range response.Header {
		_, known := declared[name]
		for header := range declared {
			known = known || strings.EqualFold(header, name)
		}
		if !known && !slices.Contains(fixedHeaders, name) && !strings.HasPrefix(name, "Access-Control-") {
			return fmt.Errorf("the header %s is not declared", name)
		}
	}
	return nil
}

func checkMembers(declared *openapi3.Response, response *http.Response, text []byte) error {
	media := declared.Content.Get(response.Header.Get("Content-Type"))
	if media == nil || !strings.Contains(response.Header.Get("Content-Type"), "json") {
		return nil
	}
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		return err
	}
	return undeclared(media.Schema.Value, body, "")
}

// localisedMember is what the contract says of additional members of a registration.
var localisedMember = regexp.MustCompile(`^(client_name|client_uri|logo_uri|tos_uri|policy_uri)#[A-Za-z0-9-]+$`)

// undeclared finds members that the schema does not declare, and those that are null or "".
func undeclared(schema *openapi3.Schema, value any, path string) error {
	switch v := value.(type) {
	case nil:
		return fmt.Errorf("%s is null", path)
	case string:
		if v == "" {
			return fmt.Errorf("%s is empty", path)
		}
	case []any:
		for i, element := range v {
			if schema.Items == nil {
				break
			}
			if err := undeclared(schema.Items.Value, element, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return undeclaredMembers(schema, v, path)
	}
	return nil
}

func undeclaredMembers(schema *openapi3.Schema, object map[string]any, path string) error {
	properties, open := declarations(schema)
	for name, value := range object {
		property, known := properties[name]
		switch {
		case known:
			if err := undeclared(property.Value, value, path+"."+name); err != nil {
				return err
			}
		case properties["redirect_uris"] != nil && localisedMember.MatchString(name):
		case properties["redirect_uris"] != nil || !open:
			return fmt.Errorf("%s.%s is not declared", path, name)
		}
	}
	return nil
}

// declarations returns the properties of a schema and whether it allows more.
func declarations(schema *openapi3.Schema) (openapi3.Schemas, bool) {
	properties := openapi3.Schemas{}
	open := schema.AdditionalProperties.Has != nil && *schema.AdditionalProperties.Has
	for name, property := range schema.Properties {
		properties[name] = property
	}
	for _, part := range schema.AllOf {
		more, partOpen := declarations(part.Value)
		for name, property := range more {
			properties[name] = property
		}
		open = open || partOpen
	}
	return properties, open
}
