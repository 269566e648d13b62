package httpapi

import (
	"context"

	"github.com/seed-9c856424/registrar/gen/api"
)

// GetUserInfo returns claims about the user (OpenID Connect Core 1.0 §5.3).
func (s *server) GetUserInfo(ctx context.Context, _ api.GetUserInfoRequestObject) (api.GetUserInfoResponseObject, error) {
	answer, err := s.userInfo(ctx)
	return api.GetUserInfo200JSONResponse{UserInfoJSONResponse: answer}, err
}

// GetUserInfoByForm does the same for a POST.
func (s *server) GetUserInfoByForm(ctx context.Context, _ api.GetUserInfoByFormRequestObject) (api.GetUserInfoByFormResponseObject, error) {
	answer, err := s.userInfo(ctx)
	return api.GetUserInfoByForm200JSONResponse{UserInfoJSONResponse: answer}, err
}

func (s *server) userInfo(ctx context.Context) (api.UserInfoJSONResponse, error) {
	info, err := s.Authorization.UserInfo(ctx, s.Tenant, exchangeOf(ctx).access.Token)
	if err != nil {
		return api.UserInfoJSONResponse{}, err
	}
	answer := api.UserInfo{Sub: info.Subject, Name: present(info.Name), Email: present(info.Email)}
	if answer.Email != nil {
		answer.EmailVerified = pointer(info.EmailVerified)
	}
	return api.UserInfoJSONResponse{Body: answer, Headers: api.UserInfoResponseHeaders{CacheControl: noStore, Pragma: noCache}}, nil
}
