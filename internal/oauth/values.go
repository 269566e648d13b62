package oauth

// GrantType is a value of grant_types (RFC 7591 §2).
type GrantType = string

// The grant types that a client can register.
const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantRefreshToken      GrantType = "refresh_token"
)

// ResponseTypeCode is the only response type that a client can register (RFC 7591 §2).
const ResponseTypeCode = "code"

// AuthMethod is a value of token_endpoint_auth_method (RFC 7591 §2).
type AuthMethod string

// The client authentication methods that a client can register.
const (
	AuthNone              AuthMethod = "none"
	AuthClientSecretBasic AuthMethod = "client_secret_basic"
	AuthClientSecretPost  AuthMethod = "client_secret_post"
	AuthPrivateKeyJWT     AuthMethod = "private_key_jwt"
)

// UsesSecret reports whether clients of this method hold a client secret.
func (m AuthMethod) UsesSecret() bool {
	return m == AuthClientSecretBasic || m == AuthClientSecretPost
}

// ApplicationType is a value of application_type (OpenID Connect Registration 1.0 §2).
type ApplicationType string

// The application types.
const (
	ApplicationWeb    ApplicationType = "web"
	ApplicationNative ApplicationType = "native"
)

// Algorithm is a signature algorithm of RFC 7518 §3.1.
type Algorithm string

// The algorithms that this service signs with.
const (
	ES256 Algorithm = "ES256"
	RS256 Algorithm = "RS256"
)

// The scopes that mean something to this service (OpenID Connect Core 1.0 §3.1.2.1, §5.4).
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
)
