package authorization

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// memory is a Store that does what the interface says, each method atomically.
type memory struct {
	mu       sync.Mutex
	clients  map[string]*registration.Client
	grants   map[string]*Grant
	consents map[string]*Consent
	spent    map[string]time.Time
	// acts are what the trail was told of.
	acts []registration.Act

	// err is what every method returns, if set; or failing alone.
	err     error
	failing string
	// afterFindGrant runs after FindGrant has read, outside the lock.
	afterFindGrant func()
	// calls counts by method.
	calls map[string]int
}

func newMemory() *memory {
	return &memory{
		clients: map[string]*registration.Client{}, grants: map[string]*Grant{},
		consents: map[string]*Consent{}, spent: map[string]time.Time{}, calls: map[string]int{},
	}
}

// enter locks and counts; the caller unlocks.
func (m *memory) enter(method string) error {
	m.mu.Lock()
	m.calls[method]++
	if m.failing == "" || m.failing == method {
		return m.err
	}
	return nil
}

// breakDown makes the method fail from now on; "" is every method.
func (m *memory) breakDown(method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.failing = errNoDatabase, method
}

var errNoDatabase = errors.New("no database")

func key(parts ...string) string { return string(bytes.Join(toBytes(parts), []byte{0})) }

func toBytes(parts []string) [][]byte {
	all := make([][]byte, len(parts))
	for i, part := range parts {
		all[i] = []byte(part)
	}
	return all
}

func (m *memory) Find(_ context.Context, tenant, id string) (*registration.Client, error) {
	defer m.mu.Unlock()
	if err := m.enter("Find"); err != nil {
		return nil, err
	}
	client, ok := m.clients[key(tenant, id)]
	if !ok {
		return nil, registration.ErrNotFound
	}
	found := *client
	return &found, nil
}

func (m *memory) SaveDocument(_ context.Context, c *registration.Client, act registration.Act) error {
	defer m.mu.Unlock()
	if err := m.enter("SaveDocument"); err != nil {
		return err
	}
	m.acts = append(m.acts, act)
	saved := *c
	if stored := m.clients[key(c.Tenant, c.ID)]; stored != nil {
		if stored.Origin != c.Origin || !c.DocumentFetchedAt.After(stored.DocumentFetchedAt) {
			return nil
		}
		saved = *stored
		saved.Metadata, saved.DocumentFetchedAt, saved.UpdatedAt = c.Metadata, c.DocumentFetchedAt, c.UpdatedAt
		saved.Version++
	}
	m.clients[key(c.Tenant, c.ID)] = &saved
	return nil
}

func (m *memory) CreateGrant(_ context.Context, g *Grant) error {
	defer m.mu.Unlock()
	if err := m.enter("CreateGrant"); err != nil {
		return err
	}
	if m.clients[key(g.Tenant, g.ClientID)] == nil {
		return ErrSpent
	}
	stored := *g
	m.grants[key(g.Tenant, g.ID)] = &stored
	return nil
}

func (m *memory) FindGrant(_ context.Context, tenant, id string) (*Grant, error) {
	found, err := m.readGrant(tenant, id)
	if m.afterFindGrant != nil {
		m.afterFindGrant()
	}
	return found, err
}

func (m *memory) readGrant(tenant, id string) (*Grant, error) {
	defer m.mu.Unlock()
	if err := m.enter("FindGrant"); err != nil {
		return nil, err
	}
	g := m.grants[key(tenant, id)]
	if g == nil {
		return nil, ErrNotFound
	}
	found := *g
	return &found, nil
}

func (m *memory) RedeemCode(_ context.Context, g *Grant) error {
	defer m.mu.Unlock()
	if err := m.enter("RedeemCode"); err != nil {
		return err
	}
	stored := m.grants[key(g.Tenant, g.ID)]
	if stored == nil || !stored.RedeemedAt.IsZero() || !stored.RevokedAt.IsZero() {
		return ErrSpent
	}
	stored.RedeemedAt, stored.RefreshedAt, stored.ExpiresAt = g.RedeemedAt, g.RefreshedAt, g.ExpiresAt
	stored.FamilyDigest, stored.RefreshDigest = g.FamilyDigest, g.RefreshDigest
	return nil
}

func (m *memory) RotateRefresh(_ context.Context, g *Grant, present []byte) error {
	defer m.mu.Unlock()
	if err := m.enter("RotateRefresh"); err != nil {
		return err
	}
	stored := m.grants[key(g.Tenant, g.ID)]
	if stored == nil || !stored.RevokedAt.IsZero() || !bytes.Equal(stored.RefreshDigest, present) {
		return ErrSpent
	}
	stored.RefreshDigest, stored.PreviousDigest = g.RefreshDigest, g.PreviousDigest
	stored.RefreshedAt, stored.ExpiresAt = g.RefreshedAt, g.ExpiresAt
	return nil
}

func (m *memory) RevokeGrant(_ context.Context, tenant, id string, at time.Time) error {
	defer m.mu.Unlock()
	if err := m.enter("RevokeGrant"); err != nil {
		return err
	}
	if g := m.grants[key(tenant, id)]; g != nil && g.RevokedAt.IsZero() {
		g.RevokedAt = at
	}
	return nil
}

func (m *memory) RevokeReused(ctx context.Context, g *Grant, act registration.Act) error {
	m.mu.Lock()
	m.acts = append(m.acts, act)
	m.mu.Unlock()
	return m.RevokeGrant(ctx, g.Tenant, g.ID, act.At)
}

func (m *memory) GrantsOf(_ context.Context, tenant, subject string, at time.Time) ([]*Grant, error) {
	defer m.mu.Unlock()
	if err := m.enter("GrantsOf"); err != nil {
		return nil, err
	}
	var found []*Grant
	for _, g := range m.grants {
		stands := g.RevokedAt.IsZero() && at.Before(g.ExpiresAt) && !g.RedeemedAt.IsZero()
		if g.Tenant == tenant && g.User.Subject == subject && stands {
			one := *g
			found = append(found, &one)
		}
	}
	slices.SortFunc(found, func(a, b *Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return found, nil
}

func (m *memory) Disconnect(_ context.Context, tenant, subject, clientID string, act registration.Act) error {
	defer m.mu.Unlock()
	if err := m.enter("Disconnect"); err != nil {
		return err
	}
	for _, g := range m.grants {
		if g.Tenant == tenant && g.User.Subject == subject && g.ClientID == clientID && g.RevokedAt.IsZero() {
			g.RevokedAt = act.At
		}
	}
	for id, c := range m.consents {
		if c.Tenant == tenant && c.Subject == subject && c.ClientID == clientID {
			delete(m.consents, id)
		}
	}
	return nil
}

func (m *memory) SaveConsent(_ context.Context, c *Consent) error {
	defer m.mu.Unlock()
	if err := m.enter("SaveConsent"); err != nil {
		return err
	}
	if m.clients[key(c.Tenant, c.ClientID)] != nil {
		stored := *c
		m.consents[key(c.Tenant, c.Subject, c.ClientID, string(c.Target))] = &stored
	}
	return nil
}

func (m *memory) FindConsent(_ context.Context, tenant, subject, clientID string, target []byte) (*Consent, error) {
	defer m.mu.Unlock()
	if err := m.enter("FindConsent"); err != nil {
		return nil, err
	}
	c := m.consents[key(tenant, subject, clientID, string(target))]
	if c == nil {
		return nil, ErrNotFound
	}
	found := *c
	return &found, nil
}

func (m *memory) SpendAssertion(_ context.Context, tenant, clientID string, digest []byte, expiresAt time.Time) error {
	defer m.mu.Unlock()
	if err := m.enter("SpendAssertion"); err != nil {
		return err
	}
	id := key(tenant, clientID, string(digest))
	if _, used := m.spent[id]; used || m.clients[key(tenant, clientID)] == nil {
		return ErrSpent
	}
	m.spent[id] = expiresAt
	return nil
}

func (*memory) DeleteExpiredGrants(context.Context, string, time.Time, int) (int64, error) {
	return 0, nil
}

// deleteClient takes all that is the client's with it, as the stores do, in every tenant.
func (m *memory) deleteClient(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at, c := range m.clients {
		if c.ID == id {
			delete(m.clients, at)
		}
	}
	for at, g := range m.grants {
		if g.ClientID == id {
			delete(m.grants, at)
		}
	}
	for at, c := range m.consents {
		if c.ClientID == id {
			delete(m.consents, at)
		}
	}
}
