package oauth

// Code is an error code of the OAuth extensions error registry (RFC 6749 §11.4),
// of OpenID Connect, or one that this service adds for its own problem documents.
type Code string

const (
	// InvalidRequest is a malformed request (RFC 6749 §5.2, RFC 6750 §3.1).
	InvalidRequest Code = "invalid_request"
	// InvalidRedirectURI is a redirect_uris member that breaks a rule (RFC 7591 §3.2.2).
	InvalidRedirectURI Code = "invalid_redirect_uri"
	// InvalidClientMetadata is any other member that breaks a rule (RFC 7591 §3.2.2).
	InvalidClientMetadata Code = "invalid_client_metadata"
	// InvalidSoftwareStatement is a software statement that is not valid (RFC 7591 §3.2.2).
	InvalidSoftwareStatement Code = "invalid_software_statement"
	// UnapprovedSoftwareStatement is a software statement that is not approved here (RFC 7591
	// §3.2.2).
	UnapprovedSoftwareStatement Code = "unapproved_software_statement"
	// InvalidClient is a client that is not known or did not authenticate (RFC 6749 §5.2).
	InvalidClient Code = "invalid_client"
	// InvalidGrant is a code or refresh token that is not valid for this client (RFC 6749 §5.2).
	InvalidGrant Code = "invalid_grant"
	// InvalidScope is a scope that is malformed or cannot be granted (RFC 6749 §5.2).
	InvalidScope Code = "invalid_scope"
	// InvalidTarget is a resource that tokens cannot be issued for (RFC 8707 §2).
	InvalidTarget Code = "invalid_target"
	// InvalidToken is a missing, wrong or revoked bearer token (RFC 6750 §3.1).
	InvalidToken Code = "invalid_token"
	// InsufficientScope is a bearer token that lacks a scope (RFC 6750 §3.1).
	InsufficientScope Code = "insufficient_scope"
	// UnauthorizedClient is a client that did not register the grant (RFC 6749 §5.2).
	UnauthorizedClient Code = "unauthorized_client"
	// UnsupportedGrantType is a grant that the server does not offer (RFC 6749 §5.2).
	UnsupportedGrantType Code = "unsupported_grant_type"
	// UnsupportedResponseType is a response type that the server does not offer (RFC 6749 §4.1.2.1).
	UnsupportedResponseType Code = "unsupported_response_type"
	// AccessDenied is a user or a policy that said no (RFC 6749 §4.1.2.1).
	AccessDenied Code = "access_denied"
	// LoginRequired is prompt=none without a session (OpenID Connect Core 1.0 §3.1.2.6).
	LoginRequired Code = "login_required"
	// ConsentRequired is prompt=none without a remembered consent (OpenID Connect Core 1.0 §3.1.2.6).
	ConsentRequired Code = "consent_required"
	// RequestNotSupported is a request object by value (OpenID Connect Core 1.0 §3.1.2.6).
	RequestNotSupported Code = "request_not_supported"
	// RequestURINotSupported is a request object by reference (OpenID Connect Core 1.0 §3.1.2.6).
	RequestURINotSupported Code = "request_uri_not_supported"
	// RegistrationNotSupported is a registration parameter (OpenID Connect Core 1.0 §3.1.2.6).
	RegistrationNotSupported Code = "registration_not_supported"
	// RateLimitExceeded is a request above a limit.
	RateLimitExceeded Code = "rate_limit_exceeded"
	// ServerError is a fault of this server (RFC 6749 §4.1.2.1).
	ServerError Code = "server_error"
	// TemporarilyUnavailable is an overload or an outage of what this server needs (RFC 6749 §4.1.2.1).
	TemporarilyUnavailable Code = "temporarily_unavailable"
)

// Error is what a client did wrong, or what it should be told: a code and a
// description that is safe to send. The cause, if any, is for the log alone.
type Error struct {
	Code        Code
	Description string
	Cause       error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Code) + ": " + e.Description
	}
	return string(e.Code) + ": " + e.Description + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ErrTokenMissing is a request without a bearer token: its challenge carries no
// error code (RFC 6750 §3.1).
var ErrTokenMissing error = &Error{Code: InvalidToken, Description: "a registration access token is required"}

// ErrTokenInvalid is one answer for a wrong token, another client's token and an
// unknown client, so that nobody learns which clients exist (RFC 7592 §2.1).
var ErrTokenInvalid error = &Error{Code: InvalidToken, Description: "the registration access token is not valid for this client"}
