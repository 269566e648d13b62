package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestApproval: I-17 and P-24, for a client that is registered and for one that is known by
// its document.
func TestApproval(t *testing.T) {
	eachStoreElsewhere(t, map[string]string{"REGISTRAR_APPROVAL": "required"}, func(t *testing.T, s *server, e *elsewhere) {
		e.answers(docURL, document(docURL, nil))
		wantPending := func(t *testing.T, id string) {
			t.Helper()
			page := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode())
			if wantPage(t, page, "invalid_client"); !strings.Contains(page.Text, "waits for the approval") {
				t.Errorf("the page does not say why: %s", page)
			}
			s.wantUnknown(t, s.token(t, refreshing(id, "x"), nil))
		}
		pending := func(t *testing.T) (reply, string) {
			t.Helper()
			registered := s.public(t, callback)
			return registered, registered.str(t, "client_id")
		}
		t.Run("I-17 approved", func(t *testing.T) {
			_, id := pending(t)
			wantPending(t, id)
			s.command(t, "client", "approve", id)
			s.documentedTokens(t, id, callback)
		})
		t.Run("I-17 rejected", func(t *testing.T) {
			registered, id := pending(t)
			s.command(t, "client", "reject", id)
			s.manage(t, http.MethodGet, registered, nil).wantError(t, http.StatusUnauthorized, "invalid_token")
			wantPage(t, s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode()), "invalid_client")
		})
		t.Run("P-24 an update", func(t *testing.T) {
			registered, id := pending(t)
			update := object{"client_id": id, "redirect_uris": []string{callback}, "client_name": "Changed"}
			if answer := s.manage(t, http.MethodPut, registered, update); answer.Status != http.StatusOK {
				t.Errorf("%s", answer)
			}
			wantPending(t, id)
		})
		t.Run("a document", func(t *testing.T) {
			s.wantUnknown(t, s.token(t, refreshing(docURL, "x"), nil))
			wantPending(t, docURL)
			wantPending(t, docURL)
			s.command(t, "client", "approve", docURL)
			s.documentedTokens(t, docURL, callback)
		})
		t.Run("a document that is rejected", func(t *testing.T) {
			const id = "https://other.example/client.json"
			e.answers(id, document(id, nil))
			wantPending(t, id)
			s.command(t, "client", "reject", id)
			page := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode())
			if wantPage(t, page, "invalid_client"); !strings.Contains(page.Text, "suspended") {
				t.Errorf("%s", page)
			}
		})
	})
}

// TestWaitingDocumentsAreLimited: bringing a document that waits counts as a registration.
func TestWaitingDocumentsAreLimited(t *testing.T) {
	e := newElsewhere(t)
	s := startServerIn(t, e.network(), map[string]string{"REGISTRAR_APPROVAL": "required", "REGISTRAR_REGISTRATION_RATE": "1/1h"})
	for i, want := range []int{http.StatusBadRequest, http.StatusTooManyRequests} {
		id := []string{docURL, "https://other.example/client.json"}[i]
		e.answers(id, document(id, nil))
		if page := s.visitor(t).get(t, "/oauth/authorize?"+authorizationRequest(id, callback, nil).Encode()); page.Status != want {
			t.Errorf("%s, want %d", page, want)
		}
	}
}
