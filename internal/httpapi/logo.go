package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// logoCaching keeps a browser from asking again while the user decides.
const logoCaching = "private, max-age=3600"

// logoPolicy is for a browser that shows the picture as a page of its own.
const logoPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// ShowLogo serves the logo of a client, encoded anew, to a browser with a session: whatever
// is wrong with it, there is none to show.
func (s *server) ShowLogo(ctx context.Context, request api.ShowLogoRequestObject) (api.ShowLogoResponseObject, error) {
	who, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	if who == nil {
		return nil, echo.ErrNotFound
	}
	picture, err := s.logo(ctx, request.Params.ClientID)
	if err != nil {
		return nil, err
	}
	return response(func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", mimePNG)
		h.Set("Cache-Control", logoCaching)
		h.Set("Content-Security-Policy", logoPolicy)
		_, err := w.Write(picture)
		return err
	}), nil
}

const mimePNG = "image/png"

func (s *server) logo(ctx context.Context, clientID string) ([]byte, error) {
	by := exchangeOf(ctx).access
	client, err := s.Authorization.Client(ctx, s.Tenant, clientID, by)
	switch {
	case err != nil && answerTo(err).status >= http.StatusInternalServerError:
		return nil, err
	case err != nil, authorization.LogoURI(client) == "":
		return nil, echo.ErrNotFound
	}
	picture, err := s.Logo(ctx, authorization.LogoURI(client), by.From)
	if err != nil {
		s.Log.InfoContext(ctx, "a logo is not shown", "client_id", client.ID, "reason", err)
		return nil, echo.ErrNotFound
	}
	return picture, nil
}

// logoAddress is where the page finds the logo; empty for a client that has none to show.
func (s *server) logoAddress(client *registration.Client) string {
	if authorization.LogoURI(client) == "" {
		return ""
	}
	return s.Tenant.Issuer + "/oauth/logo?client_id=" + url.QueryEscape(client.ID)
}
