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
