package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

var (
	//go:embed docs.html
	docsHTML string

	docsPage = template.Must(template.New("docs").Parse(docsHTML))
	// docsPolicy lets the page have its own style sheet and nothing else.
	docsPolicy = "default-src 'none'; style-src '" + hashSource(styleOf(docsHTML)) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// errorDoc explains an error code to the developer of a client.
type errorDoc struct {
	Code    oauth.Code
	Status  int
	Meaning string
	Remedy  string
}

// errorDocs explain every code that the server answers.
var errorDocs = []errorDoc{
	{oauth.InvalidRedirectURI, http.StatusBadRequest,
		"A redirect URI breaks a rule, or there is none. Nothing was stored.",
		"Read error_description: it names the URI by its index and the rule. Redirect URIs are https with a host, http on localhost, 127.0.0.0/8 or [::1], or of a private-use scheme such as com.example.app:/callback; without fragment, user information, wildcard or dot segment."},
	{oauth.InvalidClientMetadata, http.StatusBadRequest,
		"A member of the registration breaks a rule, or the body is not one JSON object. Nothing was stored.",
		"Read error_description: it names the member and the rule. The contract lists every member with its limits."},
	{oauth.InvalidRequest, http.StatusBadRequest,
		"The request does not fit the operation: an update without the client_id of its path, or with a member that the server assigns; a body of another type than application/json, or too large.",
		"Read error_description. An update holds client_id and all metadata, and none of registration_access_token, registration_client_uri, client_secret_expires_at and client_id_issued_at."},
	{oauth.InvalidToken, http.StatusUnauthorized,
		"The registration access token is missing, or not valid for this client; a client that was deleted gives the same answer.",
		"Send the registration_access_token of this client as a bearer token in the Authorization header. A token that was presented on another client may have been revoked: register anew."},
	{oauth.RateLimitExceeded, http.StatusTooManyRequests,
		"Too many registrations, or too many refused ones, from one address.",
		"Wait as many seconds as Retry-After says. Keep the registration that you have: one per installation is enough."},
	{oauth.TemporarilyUnavailable, http.StatusServiceUnavailable,
		"The server cannot serve this at present.",
		"Try again after as many seconds as Retry-After says. Nothing was changed, or the change is complete: read the registration to see."},
	{oauth.ServerError, http.StatusInternalServerError,
		"A fault of the server.",
		"Tell the operator the trace_id, which finds the request in the log."},
}

// docsView is what the page shows: the errors, or one of them.
type docsView struct {
	Issuer string
	Errors []errorDoc
	One    *errorDoc
}

// GetDocs returns the page that says where things are.
func (s *server) GetDocs(context.Context, api.GetDocsRequestObject) (api.GetDocsResponseObject, error) {
	return s.page(docsView{Errors: errorDocs})
}

// GetErrorDocs returns the page of one error code.
func (s *server) GetErrorDocs(_ context.Context, request api.GetErrorDocsRequestObject) (api.GetErrorDocsResponseObject, error) {
	at := slices.IndexFunc(errorDocs, func(d errorDoc) bool { return string(d.Code) == request.Code })
	if at < 0 {
		return nil, echo.ErrNotFound
	}
	return s.page(docsView{One: &errorDocs[at]})
}

func (s *server) page(view docsView) (page, error) {
	view.Issuer = s.Tenant.Issuer
	var rendered bytes.Buffer
	err := docsPage.Execute(&rendered, view)
	return rendered.Bytes(), err
}

// page is a rendered page for people.
type page []byte

func (p page) write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", cacheable)
	h.Set("Content-Security-Policy", docsPolicy)
	_, err := w.Write(p)
	return err
}

// VisitGetDocsResponse writes the page.
func (p page) VisitGetDocsResponse(w http.ResponseWriter) error { return p.write(w) }

// VisitGetErrorDocsResponse writes the page.
func (p page) VisitGetErrorDocsResponse(w http.ResponseWriter) error { return p.write(w) }

// styleOf returns the style sheet that stands in a page.
func styleOf(html string) string {
	_, behind, _ := strings.Cut(html, "<style>")
	style, _, _ := strings.Cut(behind, "</style>")
	return style
}

// hashSource names inline content in a content security policy (CSP Level 3 §2.3.1).
func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
