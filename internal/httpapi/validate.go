package httpapi

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/strictjson"
)

// limitBody refuses a body that is too large, by its declared length at once and by what
// arrives while it is read.
func (s *server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > s.MaxBody {
			return &http.MaxBytesError{Limit: s.MaxBody}
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, s.MaxBody)
		return next(c)
	}
}

// limitRefusals counts the registrations that are refused, and holds those that are so for
// what the client sent to a limit of their own, so that abuse neither is free nor locks out
// the valid registrations of others behind the same address.
func (s *server) limitRefusals(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		op := s.operation(c)
		if err == nil || op == nil || !op.registers || answerTo(err).status >= 500 {
			return err
		}
		ctx := c.Request().Context()
		access := exchangeOf(ctx).access
		if answerTo(err).status != http.StatusTooManyRequests {
			err = cmp.Or(s.Refused(ctx, access.From), err)
		}
		s.CountRefusal(access, op.reason(answerTo(err)))
		return err
	}
}

// reason is the code of a refusal with the member that is at fault, where that is one of the
// contract and so no text of the client's.
func (op *operation) reason(a answer) string {
	member, _, _ := strings.Cut(a.description, ":")
	if end := strings.IndexAny(member, "[.#"); end >= 0 {
		member = member[:end]
	}
	if !op.members[member] {
		return string(a.code)
	}
	return string(a.code) + ": " + member
}

// operation returns what the contract says of the routed request, nil where the router
// itself refuses it.
func (s *server) operation(c echo.Context) *operation {
	method, path := c.Request().Method, s.operationPath(c.Path())
	if method == http.MethodHead && !slices.Contains(steps, path) {
		method = http.MethodGet
	}
	return s.contract.operations[routed{method, path}]
}

// findExact answers 404 where the router took more than one segment of the path for a
// parameter: nothing is below a registration.
func (s *server) findExact(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.Contains(c.Path(), ":") && strings.Count(c.Path(), "/") != strings.Count(c.Request().URL.EscapedPath(), "/") {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// pathParameter returns what a segment of the path says, whatever it is spelt like (RFC
// 3986 §6.2.2.2): the router hands it out as it was sent.
func pathParameter(c echo.Context, name string) string {
	value, err := url.PathUnescape(c.Param(name))
	if err != nil || c.Request().URL.RawPath == "" {
		return c.Param(name)
	}
	return value
}

// validate holds the request to the contract: credentials, parameters, body, in this
// order, so that who may not ask learns nothing of what would be wrong.
func (s *server) validate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op := s.operation(c)
		if op == nil {
			return next(c)
		}
		for _, step := range []func(echo.Context, *operation) error{s.refuseForeign, s.authenticate, s.validateParameters, s.validateBody} {
			if err := step(c, op); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// refuseForeign keeps other sites from sending the forms of our pages in a user's name.
func (s *server) refuseForeign(c echo.Context, op *operation) error {
	if !op.private {
		return nil
	}
	if err := s.crossOrigin.Check(c.Request()); err != nil {
		return &oauth.Error{Code: oauth.AccessDenied, Description: "the form was sent by another site", Cause: err}
	}
	return nil
}

func (s *server) authenticate(c echo.Context, op *operation) (err error) {
	ctx := c.Request().Context()
	x := exchangeOf(ctx)
	switch {
	case op.secured:
		x.client, err = s.Registry.Authenticate(ctx, s.Tenant, pathParameter(c, "client_id"), x.access)
	case op.registers:
		x.permit, err = s.Registry.Permit(ctx, s.Tenant, x.access.Token)
	}
	if errors.Is(err, registration.ErrClosed) {
		return echo.ErrNotFound
	}
	return err
}

func (s *server) validateParameters(c echo.Context, op *operation) error {
	if len(op.parameters) == 0 {
		return nil
	}
	if err := reduceQuery(c.Request()); err != nil {
		return err
	}
	input := &openapi3filter.RequestValidationInput{Request: c.Request(), Route: op.route, PathParams: map[string]string{}}
	for _, name := range c.ParamNames() {
		input.PathParams[name] = pathParameter(c, name)
	}
	for _, parameter := range op.parameters {
		if err := openapi3filter.ValidateParameter(c.Request().Context(), input, parameter.Value); err != nil {
			return &oauth.Error{Code: oauth.InvalidRequest, Description: parameter.Value.Name + ": the parameter is not valid"}
		}
	}
	return nil
}

// reduceQuery leaves on the request the first value of each parameter, and none that is
// empty, as such a parameter counts as omitted (RFC 6749 §3.1): the generated binding knows
// no repeated ones. The handler that has to judge them takes the query of the exchange.
func reduceQuery(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "the query is not well formed", Cause: err}
	}
	for name, values := range query {
		if query[name] = values[:1]; values[0] == "" {
			delete(query, name)
		}
	}
	r.URL.RawQuery = query.Encode()
	return nil
}

func (s *server) validateBody(c echo.Context, op *operation) error {
	switch {
	case op.body == nil:
		return nil
	case op.form:
		return validateForm(c.Request(), op)
	}
	return s.validateJSON(c.Request(), op)
}

// validateJSON leaves the value that it validated on the request, for the generated
// binding to take: a second, looser decoding could see something else.
func (s *server) validateJSON(r *http.Request, op *operation) error {
	if !hasPlainBody(r.Header, mimeJSON) {
		return wrongType(mimeJSON)
	}
	object, err := strictjson.Decode(r.Body)
	if err != nil {
		return bodyFault(op, err)
	}
	if err := op.checkIdentity(object, exchangeOf(r.Context()).client); err != nil {
		return bodyFault(op, err)
	}
	if err := s.checkMembers(op, object); err != nil {
		return err
	}
	exchangeOf(r.Context()).localized = op.takeLocalized(object)
	r.Body = validatedBody{ReadCloser: r.Body, value: object}
	return nil
}

// wrongType is a body that is not of this type.
type wrongType string

func (want wrongType) Error() string { return "the body must be " + string(want) + ", not compressed" }

// hasPlainBody reports whether the body is declared, once, as of this type and not compressed.
func hasPlainBody(h http.Header, want string) bool {
	mediaType, _, err := mime.ParseMediaType(fieldValue(h, echo.HeaderContentType))
	coding := fieldValue(h, echo.HeaderContentEncoding)
	return err == nil && mediaType == want && (coding == "" || strings.EqualFold(coding, "identity"))
}

// fieldValue joins the lines of a header as RFC 9110 §5.3 has it.
func fieldValue(h http.Header, name string) string { return strings.Join(h.Values(name), ", ") }

// checkIdentity refuses the members that the contract forbids by "not: {}", which
// kin-openapi takes for no rule at all, and an update that is about another client: what
// else is wrong with its metadata does not matter then.
func (op *operation) checkIdentity(object map[string]any, client *registration.Client) error {
	for _, name := range op.forbidden {
		if value := object[name]; value != nil && value != "" {
			return &strictjson.Fault{Member: name, Reason: "it must not be sent"}
		}
	}
	if id, sent := object["client_id"].(string); client != nil && sent && id != "" && id != client.ID {
		return registration.ErrAnotherClient
	}
	return nil
}

// checkMembers holds the metadata to the contract. Where that finds a fault, the rule of
// redirect_uris is asked as well, since a fault there decides the error code.
func (s *server) checkMembers(op *operation, object map[string]any) error {
	err := op.reduce(object)
	if err == nil {
		err = op.body.VisitJSON(object, openapi3.VisitAsRequest(), openapi3.MultiErrors())
	}
	if err == nil {
		return nil
	}
	fault := bodyFault(op, err)
	var known *oauth.Error
	if errors.As(fault, &known) && known.Code == oauth.InvalidClientMetadata {
		uris := registration.CheckRedirectURIs(s.Tenant.Policy, texts(object["redirect_uris"]), texts(object["grant_types"]))
		return cmp.Or(uris, fault)
	}
	return fault
}

// texts returns an array of strings, nil for anything else.
func texts(value any) []string {
	array, _ := value.([]any)
	var all []string
	for _, element := range array {
		text, isText := element.(string)
		if !isText {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// reduce drops what counts as omitted and what is not known (RFC 7591 §2). Of the
// additional members only the localised ones stay, and those are strings.
func (op *operation) reduce(object map[string]any) error {
	for name, value := range object {
		localized := registration.IsLocalized(name)
		if value == nil || value == "" || !op.members[name] && !localized {
			delete(object, name)
			continue
		}
		if _, isString := value.(string); localized && !isString {
			return &strictjson.Fault{Member: name, Reason: "value must be a string"}
		}
	}
	return nil
}

// takeLocalized takes the localised members out of a valid object: the generated binding
// has no place for them.
func (op *operation) takeLocalized(object map[string]any) map[string]string {
	var localized map[string]string
	for name, value := range object {
		if text, isText := value.(string); isText && !op.members[name] {
			if localized == nil {
				localized = map[string]string{}
			}
			localized[name] = text
			delete(object, name)
		}
	}
	return localized
}

// validatedBody is a request body that also tells the value it was found to hold.
type validatedBody struct {
	io.ReadCloser
	value any
}

// ValidatedValue is where the generated binding looks.
func (b validatedBody) ValidatedValue() any { return b.value }
