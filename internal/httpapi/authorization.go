package httpapi

import (
	"context"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// errNotServed is the answer of the endpoints that the metadata must name (RFC 8414 §2,
// OpenID Connect Discovery 1.0 §3) and that this version does not serve.
var errNotServed error = &oauth.Error{
	Code:        oauth.TemporarilyUnavailable,
	Description: "this server registers clients; it does not authorize users or issue tokens yet",
}

func (s *server) Authorize(context.Context, api.AuthorizeRequestObject) (api.AuthorizeResponseObject, error) {
	return nil, errNotServed
}

func (s *server) AuthorizeByForm(context.Context, api.AuthorizeByFormRequestObject) (api.AuthorizeByFormResponseObject, error) {
	return nil, errNotServed
}

func (s *server) IssueToken(context.Context, api.IssueTokenRequestObject) (api.IssueTokenResponseObject, error) {
	return nil, errNotServed
}

func (s *server) GetUserInfo(context.Context, api.GetUserInfoRequestObject) (api.GetUserInfoResponseObject, error) {
	return nil, errNotServed
}

func (s *server) GetUserInfoByForm(context.Context, api.GetUserInfoByFormRequestObject) (api.GetUserInfoByFormResponseObject, error) {
	return nil, errNotServed
}
