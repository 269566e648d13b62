package authorization

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Connection is a client that can act for a user at present.
type Connection struct {
	Client *registration.Client
	// Scope is what its grants hold together.
	Scope []string
	// Since is when the oldest of the grants was approved, LastUsed when the client last
	// got tokens under any of them.
	Since, LastUsed time.Time
}

// Connections returns the user's, the one approved last first.
func (s *Service) Connections(ctx context.Context, t *tenant.Tenant, subject string) ([]Connection, error) {
	grants, err := s.Store.GrantsOf(ctx, t.ID, subject, s.now())
	if err != nil {
		return nil, err
	}
	var connections []Connection
	for _, own := range byClient(grants) {
		client, err := s.find(ctx, t, own[0].ClientID)
		if errors.Is(err, registration.ErrNotFound) {
			continue // It was deleted meanwhile, and its grants with it.
		}
		if err != nil {
			return nil, err
		}
		connections = append(connections, connection(client, own))
	}
	return connections, nil
}

// byClient groups the grants, in the order in which each client first appears.
func byClient(grants []*Grant) [][]*Grant {
	var groups [][]*Grant
	for _, g := range grants {
		i := slices.IndexFunc(groups, func(group []*Grant) bool { return group[0].ClientID == g.ClientID })
		if i < 0 {
			groups = append(groups, []*Grant{g})
			continue
		}
		groups[i] = append(groups[i], g)
	}
	return groups
}

func connection(client *registration.Client, grants []*Grant) Connection {
	c := Connection{Client: client, Since: grants[0].CreatedAt}
	for _, g := range grants {
		if g.CreatedAt.Before(c.Since) {
			c.Since = g.CreatedAt
		}
		for _, used := range []time.Time{g.RedeemedAt, g.RefreshedAt} {
			if used.After(c.LastUsed) {
				c.LastUsed = used
			}
		}
		for _, token := range strings.Fields(g.Scope) {
			if !slices.Contains(c.Scope, token) {
				c.Scope = append(c.Scope, token)
			}
		}
	}
	return c
}

// Disconnect ends what the user granted to the client, and what is remembered of it. A
// client that is not there, or that the user never approved: no error.
func (s *Service) Disconnect(ctx context.Context, t *tenant.Tenant, subject, clientID string, access registration.Access) error {
	if !isClientID(clientID) {
		return nil
	}
	return s.Store.Disconnect(ctx, t.ID, subject, clientID, access.Act(s.now(), registration.ActorUser(subject), ""))
}
