package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
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
	{oauth.InvalidSoftwareStatement, http.StatusBadRequest,
		"The software statement is not a JWT that an approved issuer signed and that is valid now, or one is required and none was sent. Nothing was stored.",
		"Send the statement as its issuer gave it, before it expires. It is signed with RS256, PS256, ES256 or EdDSA and names its issuer in iss."},
	{oauth.UnapprovedSoftwareStatement, http.StatusBadRequest,
		"The issuer of the software statement, or its software_id, is not approved here. Nothing was stored.",
		"Ask the operator of this server which issuers it approves."},
	{oauth.InvalidRequest, http.StatusBadRequest,
		"The request does not fit the operation: an update without the client_id of its path, or with a member that the server assigns; a body of another type than application/json, or too large.",
		"Read error_description. An update holds client_id and all metadata, and none of registration_access_token, registration_client_uri, client_secret_expires_at and client_id_issued_at."},
	{oauth.InvalidClient, http.StatusUnauthorized,
		"The client is not known here, or did not authenticate as it registered. At the authorization endpoint: there is no such client.",
		"Use the client_id that the registration returned, and the method of token_endpoint_auth_method. If the client is gone, register anew."},
	{oauth.InvalidGrant, http.StatusBadRequest,
		"The authorization code or refresh token is not valid for this client: used before, expired, revoked, or sent with another redirect_uri or code_verifier.",
		"Start a new authorization. A code works once, within 60 seconds. Keep the refresh token of the last answer: the use of an older one ends them all."},
	{oauth.InvalidScope, http.StatusBadRequest,
		"The scope is malformed, or nothing of it can be granted to this client and user.",
		"Ask for scopes that the client registered; scopes_supported in the metadata lists those of the server."},
	{oauth.InvalidTarget, http.StatusBadRequest,
		"The resource is not one that this server issues tokens for, or not the one that was authorized.",
		"Send one resource, an absolute URI without fragment, in the authorization request, and the same or none at the token endpoint."},
	{oauth.UnauthorizedClient, http.StatusBadRequest,
		"The client did not register this grant.",
		"Register authorization_code, and refresh_token for refresh tokens, in grant_types."},
	{oauth.UnsupportedGrantType, http.StatusBadRequest,
		"The server knows authorization_code and refresh_token alone.",
		"Send one of them as grant_type."},
	{oauth.UnsupportedResponseType, http.StatusBadRequest,
		"The server knows the response type code alone.",
		"Send response_type=code."},
	{oauth.AccessDenied, http.StatusForbidden,
		"The user said no, or the account may not do this here.",
		"Nothing, unless the user meant otherwise: then start again."},
	{oauth.LoginRequired, http.StatusBadRequest,
		"prompt=none was sent and nobody is logged in.",
		"Send the user again without prompt=none."},
	{oauth.ConsentRequired, http.StatusBadRequest,
		"prompt=none was sent and the user has to be asked.",
		"Send the user again without prompt=none."},
	{oauth.RequestNotSupported, http.StatusBadRequest,
		"The server takes no request objects.",
		"Send the parameters themselves."},
	{oauth.RequestURINotSupported, http.StatusBadRequest,
		"The server takes no request objects.",
		"Send the parameters themselves."},
	{oauth.RegistrationNotSupported, http.StatusBadRequest,
		"The server takes no registration parameter.",
		"Register at the registration endpoint."},
	{oauth.InvalidToken, http.StatusUnauthorized,
		"The bearer token is missing or not valid. For a registration access token: not valid for this client; a client that was deleted gives the same answer.",
		"Send the token in the Authorization header. A registration access token that was presented on another client may have been revoked: register anew. An access token that has ended: refresh."},
	{oauth.InsufficientScope, http.StatusForbidden,
		"The access token does not cover this.",
		"Authorize with the scope openid, and without a resource, to read the user's claims."},
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
	Errors []errorDoc
	One    *errorDoc
}

// GetDocs returns the page that says where things are.
func (s *server) GetDocs(context.Context, api.GetDocsRequestObject) (api.GetDocsResponseObject, error) {
	return s.publicPage("docs", docsView{Errors: errorDocs})
}

// GetErrorDocs returns the page of one error code.
func (s *server) GetErrorDocs(_ context.Context, request api.GetErrorDocsRequestObject) (api.GetErrorDocsResponseObject, error) {
	at := slices.IndexFunc(errorDocs, func(d errorDoc) bool { return string(d.Code) == request.Code })
	if at < 0 {
		return nil, echo.ErrNotFound
	}
	return s.publicPage("docs", docsView{One: &errorDocs[at]})
}
