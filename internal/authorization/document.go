package authorization

import (
	"context"
	"errors"
	"time"

	"github.com/seed-9c856424/registrar/internal/oauth"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

// Document is what a client says of itself at the URL that is its client_id
// (draft-ietf-oauth-client-id-metadata-document-02 §4).
type Document struct {
	Metadata registration.Metadata
	// FetchedAt is when it was fetched, before now if it comes from a cache.
	FetchedAt time.Time
}

// lastCopyLifetime is how long the last good copy of a document serves at the token
// endpoint when there is no newer one. A connector takes a client that is not known for a
// reason to throw its credentials away, an outage for one to come back.
const lastCopyLifetime = 24 * time.Hour

// errDocumentRefused is a document that the tenant's policy does not take, whatever it says.
var errDocumentRefused error = &oauth.Error{
	Code: oauth.InvalidClient, Description: "client_id: clients are not known here by a metadata document of this host",
}

// documentError is what Document returned.
type documentError struct{ error }

func (e documentError) Unwrap() error { return e.error }

// resolve returns the client as it is at present: the stored one or, where the id is a URL,
// the one of the document there. A stored client that did not come of a document wins.
//
// It returns registration.ErrNotFound, errSuspended, errPending, errDocumentRefused, a documentError
// with the last copy beside it, nil if there is none, or what the store returns.
func (s *Service) resolve(ctx context.Context, t *tenant.Tenant, id string, by registration.Access) (*registration.Client, error) {
	stored, err := s.find(ctx, t, id)
	switch {
	case err != nil && !isUnknown(err):
		return nil, err
	case !registration.IsDocumentURL(id), err == nil && stored.Origin != registration.OriginDocument:
		return stored, err
	}
	if err := checkDocumentURL(t.Policy, id); err != nil {
		return nil, err
	}
	document, err := s.Document(ctx, t, id, by.From)
	if err != nil {
		return stored, documentError{err}
	}
	return s.documented(ctx, t, id, stored, document, by)
}

// isUnknown tells a client that is not there from one that is and is not served.
func isUnknown(err error) bool {
	return errors.Is(err, registration.ErrNotFound) && !errors.Is(err, errSuspended) && !errors.Is(err, errPending)
}

// checkDocumentURL holds a client_id to what a document may be fetched from.
func checkDocumentURL(policy tenant.Policy, url string) error {
	if policy.MetadataDocuments == tenant.MetadataDocumentsOff {
		return registration.ErrNotFound
	}
	if reason := registration.DocumentURLFault(url); reason != "" {
		return invalidClient("client_id: " + reason)
	}
	if !policy.AdmitsDocument(registration.DocumentHost(url)) {
		return errDocumentRefused
	}
	return nil
}

// documented returns the client of the document. A newer one replaces the stored copy; a
// client without one was issued nothing yet, and is not stored before it is.
func (s *Service) documented(ctx context.Context, t *tenant.Tenant, url string, stored *registration.Client, d *Document, by registration.Access) (*registration.Client, error) {
	client := registration.Client{
		Tenant: t.ID, ID: url, Origin: registration.OriginDocument, ScopePolicy: registration.ScopeExplicit,
		Status: registration.InitialStatus(t.Policy), CreatedAt: s.now(),
	}
	if stored != nil {
		client = *stored
	}
	if !d.FetchedAt.After(client.DocumentFetchedAt) {
		return &client, nil
	}
	client.Metadata, client.DocumentFetchedAt, client.UpdatedAt = d.Metadata, d.FetchedAt, s.now()
	if stored == nil {
		return &client, nil
	}
	act := by.Act(client.UpdatedAt, registration.ActorClient, registration.ChangedMembers(stored.Metadata, d.Metadata))
	return &client, s.Store.SaveDocument(ctx, &client, act)
}

// Client returns the client that sends its user, by whom it is asked for. It returns an
// *oauth.Error of code invalid_client for one that is not known, is suspended or waits for approval, and for
// whatever is wrong with its document, which its developer is told; and what Document and
// the store return.
func (s *Service) Client(ctx context.Context, t *tenant.Tenant, id string, by registration.Access) (*registration.Client, error) {
	client, err := s.resolve(ctx, t, id, by)
	var (
		document documentError
		fault    *oauth.Error
	)
	switch {
	case err == nil && client.Version == 0 && client.Status == registration.StatusPending:
		return nil, s.await(ctx, client, by)
	case errors.Is(err, errPending):
		return nil, errClientPending
	case errors.Is(err, errSuspended):
		return nil, errClientSuspended
	case errors.Is(err, registration.ErrNotFound):
		return nil, errNoClient
	case errors.As(err, &document) && errors.As(err, &fault):
		return nil, &oauth.Error{Code: documentCode(fault.Code), Description: "the metadata document of the client: " + fault.Description, Cause: err}
	}
	return client, err
}

// await stores the client of a document that somebody has to let in first, which the page
// says. It counts as a registration.
func (s *Service) await(ctx context.Context, client *registration.Client, by registration.Access) error {
	if err := s.Admit(ctx, by.From); err != nil {
		return err
	}
	if err := s.Quota(ctx); err != nil {
		return err
	}
	if err := s.Store.SaveDocument(ctx, firstSeen(client, by), by.Act(s.now(), registration.ActorClient, "")); err != nil {
		return err
	}
	return errClientPending
}

// firstSeen is the client as it is stored, with how it came to be.
func firstSeen(client *registration.Client, by registration.Access) *registration.Client {
	stored := *client
	stored.CreatedFrom, stored.CreatedAgent, stored.CreatedTrace, stored.Version = by.From, by.Agent, by.TraceID, 1
	return &stored
}

// documentCode tells an outage from a fault of the document.
func documentCode(code oauth.Code) oauth.Code {
	if code == oauth.TemporarilyUnavailable {
		return code
	}
	return oauth.InvalidClient
}

// calling returns the client that calls the token endpoint. Where its document cannot be
// had, or is a good one no longer, the last good copy serves for a while.
func (s *Service) calling(ctx context.Context, t *tenant.Tenant, id string, by registration.Access) (*registration.Client, error) {
	client, err := s.resolve(ctx, t, id, by)
	var document documentError
	switch {
	case errors.Is(err, registration.ErrNotFound), errors.Is(err, errDocumentRefused), err == nil && checkStatus(client) != nil:
		return nil, errUnauthenticated
	case !errors.As(err, &document):
		return client, err
	case client != nil && s.now().Before(client.DocumentFetchedAt.Add(lastCopyLifetime)):
		return client, nil
	}
	// The cause is for the log alone: a limit, say, is not the caller's here.
	return nil, &oauth.Error{
		Code: oauth.TemporarilyUnavailable, Description: "the metadata document of the client cannot be had at present", Cause: errors.New(err.Error()),
	}
}
