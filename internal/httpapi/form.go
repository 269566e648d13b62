package httpapi

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed-9c856424/registrar/internal/oauth"
)

// validateForm holds a form to the contract, and leaves what it validated on the request
// for the generated binding to take. Nothing of the query goes in: parameters that stand
// there have been logged on the way (RFC 6749 §2.3.1).
func validateForm(r *http.Request, op *operation) error {
	if !hasPlainBody(r.Header, mimeForm) {
		return wrongType(mimeForm)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return formReadFault(err)
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "the body is not a well-formed form", Cause: err}
	}
	exchangeOf(r.Context()).form = string(text)
	object, err := op.reduceForm(form)
	if err != nil {
		return err
	}
	if err := op.body.VisitJSON(object, openapi3.VisitAsRequest(), openapi3.MultiErrors()); err != nil {
		return formFault(err, object)
	}
	r.Form, r.PostForm = form, form
	return nil
}

func formReadFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &oauth.Error{Code: oauth.InvalidRequest, Description: "the body did not arrive in full", Cause: err}
}

// reduceForm drops what the contract does not know and what has no value, which counts as
// omitted, and refuses repeated parameters (RFC 6749 §3.2). It returns the rest as an object.
func (op *operation) reduceForm(form url.Values) (map[string]any, error) {
	object := map[string]any{}
	for name, values := range form {
		switch {
		case !op.members[name]:
			delete(form, name)
		case len(values) > 1:
			return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: name + ": the parameter stands twice"}
		case values[0] == "":
			delete(form, name)
		default:
			object[name] = values[0]
		}
	}
	return object, nil
}

// formFault turns what the contract finds in a form into an OAuth error (RFC 6749 §5.2).
// The description holds the parameter and the rule, never the value.
func formFault(err error, object map[string]any) error {
	found := slices.MinFunc(faultsOf(err), func(a, b fault) int { return slices.Compare(a.path, b.path) })
	if found.member() == "grant_type" && object["grant_type"] != nil {
		return &oauth.Error{Code: oauth.UnsupportedGrantType, Description: "grant_type: it must be authorization_code or refresh_token"}
	}
	return &oauth.Error{Code: oauth.InvalidRequest, Description: describable(found.where() + ": " + found.reason)}
}
