package storetest

import (
	"testing"
	"time"

	"github.com/seed-9c856424/registrar/internal/registration"
)

// documented is a client that is known by its document, as of a copy that was fetched so
// long after [at].
func documented(age time.Duration) *registration.Client {
	c := full("https://client.example/oauth/client.json?a=b")
	c.Owner, c.AccessTokenDigest, c.SecretDigest = "", nil, nil
	c.InitialToken, c.Bounds = "", registration.Bounds{}
	c.Origin, c.Metadata.ClientName = registration.OriginDocument, "as of "+age.String()
	c.DocumentFetchedAt, c.UpdatedAt, c.Version = at.Add(age), at.Add(age), 1
	return c
}

func saveDocument(t *testing.T, s registration.Store) {
	first := documented(time.Hour)
	must(t, s.SaveDocument(t.Context(), first, act))
	wantStored(t, s, first)
	for _, older := range []time.Duration{0, time.Hour} {
		c := documented(older)
		c.Metadata.ClientName = "another"
		must(t, s.SaveDocument(t.Context(), c, act))
		wantStored(t, s, first)
	}

	must(t, s.SetStatus(t.Context(), first.Tenant, first.ID, registration.StatusSuspended, actAt(first.UpdatedAt)))
	newer := documented(2 * time.Hour)
	newer.CreatedAt, newer.CreatedAgent, newer.AuthMethodDefaulted = at.Add(time.Hour), "another", false
	must(t, s.SaveDocument(t.Context(), newer, act))
	first.Metadata, first.DocumentFetchedAt, first.UpdatedAt = newer.Metadata, newer.DocumentFetchedAt, newer.UpdatedAt
	first.Status, first.Version = registration.StatusSuspended, 3
	wantStored(t, s, first)

	t.Run("one that was never fetched", func(t *testing.T) {
		c := documented(time.Hour)
		c.ID, c.DocumentFetchedAt, c.Status = "https://blank.example/client", time.Time{}, registration.StatusSuspended
		must(t, s.SaveDocument(t.Context(), c, act))
		wantStored(t, s, c)
		fetched := documented(time.Hour)
		fetched.ID = c.ID
		must(t, s.SaveDocument(t.Context(), fetched, act))
		fetched.Status, fetched.Version = registration.StatusSuspended, 2
		wantStored(t, s, fetched)
	})
	t.Run("a stored client of that id", func(t *testing.T) {
		c := full("https://client.example/stored")
		mustCreate(t, s, c)
		document := documented(time.Hour)
		document.ID = c.ID
		must(t, s.SaveDocument(t.Context(), document, act))
		wantStored(t, s, c)
	})
}

func parallelDocuments(t *testing.T, s registration.Store) {
	const writers = 16
	for i, err := range inParallel(writers, func(i int) error {
		return s.SaveDocument(t.Context(), documented(time.Duration(i)*time.Minute), act)
	}) {
		if err != nil {
			t.Errorf("SaveDocument %d: %v", i, err)
		}
	}
	newest := documented((writers - 1) * time.Minute)
	found, err := s.Find(t.Context(), newest.Tenant, newest.ID)
	if err != nil || found.Metadata.ClientName != newest.Metadata.ClientName || !found.DocumentFetchedAt.Equal(newest.DocumentFetchedAt) {
		t.Errorf("found %+v, %v", found, err)
	}
}
