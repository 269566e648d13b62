package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/authorization"
)

// accountView is what the account page shows.
type accountView struct {
	User        string
	Connections []connectionView
}

type connectionView struct {
	ClientID, Client string
	// Host is that of the client's metadata document; empty where it has none.
	Host       string
	Unverified bool
	// Destination is the first place that the client has users sent to.
	Destination destination
	Since       time.Time
	Scopes      []scopeView
}

// ShowAccount shows which clients the user has connected.
func (s *server) ShowAccount(ctx context.Context, _ api.ShowAccountRequestObject) (api.ShowAccountResponseObject, error) {
	who, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	if who == nil {
		return found(s.loginAddress(accountPath, false)), nil
	}
	connections, err := s.Authorization.Connections(ctx, s.Tenant, who.User.Subject)
	if err != nil {
		return nil, err
	}
	view := accountView{User: userName(who.User)}
	for _, c := range connections {
		view.Connections = append(view.Connections, s.connectionView(c))
	}
	return s.page(http.StatusOK, "account", view)
}

func (s *server) connectionView(c authorization.Connection) connectionView {
	return connectionView{
		ClientID: c.Client.ID, Client: displayName(c.Client), Host: documentHost(c.Client), Unverified: isUnverified(c.Client),
		Destination: destinationOf(c.Client.Metadata.RedirectURIs[0]),
		Since:       c.Since, Scopes: scopeViews(s.Tenant.Policy, c.Scope),
	}
}

// DisconnectClient ends what a client can do for the user who is logged in.
func (s *server) DisconnectClient(ctx context.Context, request api.DisconnectClientRequestObject) (api.DisconnectClientResponseObject, error) {
	who, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	if who != nil {
		err = s.Authorization.Disconnect(ctx, s.Tenant, who.User.Subject, request.Body.ClientID, exchangeOf(ctx).access)
	}
	return seeOther(s.Tenant.Issuer + accountPath), err
}

// LogOut ends the session of this browser. The upstream provider may still know the user;
// it is asked to have them log in again, or it would bring them back at once.
func (s *server) LogOut(ctx context.Context, _ api.LogOutRequestObject) (api.LogOutResponseObject, error) {
	err := s.Login.Sessions.End(ctx, s.Tenant.ID, exchangeOf(ctx).session)
	return seeOther(s.loginAddress(accountPath, true), s.cookie(sessionCookie, "", 0)), err
}
