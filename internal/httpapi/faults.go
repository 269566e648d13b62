package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/strictjson"
)

// fault is one place where a body breaks the contract.
type fault struct {
	// path is where: the member's name and what stands below it; empty for the body itself.
	path   []string
	reason string
	// text says that the body is not JSON, which is no doing of the member it is found in.
	text bool
}

// identifying are the members of an update that tell which registration it is about
// (RFC 7592 §2.2): client_id, and those that only an answer may hold.
var identifying = []string{
	"client_id", "registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at",
}

// faultCodes lists the codes of a registration's faults, the most telling first.
var faultCodes = []oauth.Code{oauth.InvalidRequest, oauth.InvalidRedirectURI, oauth.InvalidSoftwareStatement, oauth.InvalidClientMetadata}

// bodyFault turns what the contract finds in a registration's body into the OAuth error
// of that operation (RFC 7591 §3.2.2). The description holds the member and the rule,
// never the value.
func bodyFault(op *operation, err error) error {
	var known *oauth.Error
	if errors.As(err, &known) {
		return err
	}
	found := faultsOf(err)
	if len(found) == 0 {
		return readFault(err)
	}
	worst := slices.MinFunc(found, func(a, b fault) int {
		return cmp.Or(
			cmp.Compare(slices.Index(faultCodes, a.code(op)), slices.Index(faultCodes, b.code(op))),
			slices.Compare(a.path, b.path),
		)
	})
	return &oauth.Error{Code: worst.code(op), Description: describable(worst.describe(op))}
}

// readFault is a body that did not arrive: too large, too slow, or cut off.
func readFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "the body did not arrive in full", Cause: err}
}

func (f fault) member() string {
	if len(f.path) == 0 {
		return ""
	}
	return f.path[0]
}

// identifies reports whether the fault is in a member that the operation's body has in
// order to tell the registration; in any other body such a member is unknown.
func (f fault) identifies(op *operation) bool {
	return !f.text && op.members[f.member()] && slices.Contains(identifying, f.member())
}

func (f fault) code(op *operation) oauth.Code {
	switch {
	case f.identifies(op):
		return oauth.InvalidRequest
	case !f.text && f.member() == "redirect_uris":
		return oauth.InvalidRedirectURI
	case !f.text && f.member() == "software_statement":
		return oauth.InvalidSoftwareStatement
	}
	return oauth.InvalidClientMetadata
}

func (f fault) describe(op *operation) string {
	switch {
	case len(f.path) == 0:
		return f.reason
	case f.member() == "client_id" && f.identifies(op):
		return "client_id: it is required, as a string"
	case f.identifies(op):
		return f.member() + ": it must not be part of an update"
	}
	return f.where() + ": " + f.reason
}

// where spells the path as scripts do: jwks.keys[0].
func (f fault) where() string {
	where := f.path[0]
	for _, step := range f.path[1:] {
		if _, err := strconv.Atoi(step); err == nil {
			where += "[" + step + "]"
		} else {
			where += "." + step
		}
	}
	return where
}

// describable keeps what an error_description may hold (RFC 6749 §5.2).
func describable(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(printable(text), `"`, "'"), `\`, "")
}

// faultsOf flattens what the strict pass and the schema found.
func faultsOf(err error) []fault {
	var (
		several    openapi3.MultiError
		schema     *openapi3.SchemaError
		unreadable *strictjson.Fault
	)
	switch {
	case errors.As(err, &unreadable):
		return []fault{{pathOf(unreadable.Member), unreadable.Reason, unreadable.Text}}
	case errors.As(err, &several):
		var all []fault
		for _, one := range several {
			all = append(all, faultsOf(one)...)
		}
		return all
	case errors.As(err, &schema):
		if below := faultsOf(schema.Origin); len(below) > 0 {
			return below
		}
		return []fault{{path: schema.JSONPointer(), reason: schema.Reason}}
	}
	return nil
}

// maxNameBytes bounds how much of a member's name, which the client chose, is said back.
const maxNameBytes = 64

func pathOf(member string) []string {
	if member == "" {
		return nil
	}
	return []string{member[:min(len(member), maxNameBytes)]}
}
