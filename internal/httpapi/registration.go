package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/registration"
)

// RegisterClient registers a client (RFC 7591 §3).
func (s *server) RegisterClient(ctx context.Context, request api.RegisterClientRequestObject) (api.RegisterClientResponseObject, error) {
	x := exchangeOf(ctx)
	registered, err := s.Registry.Register(ctx, s.Tenant, x.access, x.permit, metadataFrom(*request.Body, x.localized))
	if err != nil {
		return nil, err
	}
	return s.show(ctx, http.StatusCreated, registered), nil
}

// ReadClient returns the registration that the token belongs to (RFC 7592 §2.1).
func (s *server) ReadClient(ctx context.Context, _ api.ReadClientRequestObject) (api.ReadClientResponseObject, error) {
	x := exchangeOf(ctx)
	return s.show(ctx, http.StatusOK, &registration.Registered{Client: x.client, AccessToken: x.access.Token}), nil
}

// UpdateClient replaces the registration (RFC 7592 §2.2).
func (s *server) UpdateClient(ctx context.Context, request api.UpdateClientRequestObject) (api.UpdateClientResponseObject, error) {
	x := exchangeOf(ctx)
	replacement := registration.Replacement{
		ClientID:     request.Body.ClientID,
		ClientSecret: credential.Secret(value(request.Body.ClientSecret)),
		Metadata:     metadataFrom(metadataPart(*request.Body), x.localized),
	}
	updated, err := s.Registry.Update(ctx, s.Tenant, x.client, x.access, replacement)
	if err != nil {
		return nil, err
	}
	return s.show(ctx, http.StatusOK, updated), nil
}

// DeleteClient ends the registration (RFC 7592 §2.3).
func (s *server) DeleteClient(ctx context.Context, _ api.DeleteClientRequestObject) (api.DeleteClientResponseObject, error) {
	x := exchangeOf(ctx)
	if err := s.Registry.Delete(ctx, x.client, x.access); err != nil {
		return nil, err
	}
	return api.DeleteClient204Response{Headers: api.DeleteClient204ResponseHeaders{
		CacheControl: noStore, Pragma: noCache,
	}}, nil
}

// registrationAnswer is a registration as it is sent: bare or in the envelope. One type
// answers three operations, in both forms and under both content types.
type registrationAnswer struct {
	status      int
	contentType string
	location    string
	// body encodes the answer.
	body func() ([]byte, error)
}

var (
	_ api.RegisterClientResponseObject = registrationAnswer{}
	_ api.ReadClientResponseObject     = registrationAnswer{}
	_ api.UpdateClientResponseObject   = registrationAnswer{}
)

func (s *server) show(ctx context.Context, status int, r *registration.Registered) registrationAnswer {
	info := s.information(r)
	a := registrationAnswer{status: status, contentType: mimeJSON, body: info.MarshalJSON}
	if status == http.StatusCreated {
		a.location = *info.RegistrationClientURI
	}
	asked := wantsEnvelope(exchangeOf(ctx).accept)
	if asked {
		a.contentType = envelopeType
	}
	if asked || s.Enveloped {
		a.body = func() ([]byte, error) {
			return json.Marshal(envelope{Data: info, Message: "ok", Timestamp: s.Now().UTC()})
		}
	}
	return a
}

func (a registrationAnswer) write(w http.ResponseWriter) error {
	encoded, err := a.body()
	if err != nil {
		return err
	}
	h := w.Header()
	uncached(h)
	h.Set("Content-Type", a.contentType)
	h.Add("Vary", "Accept")
	if a.location != "" {
		h.Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	_, err = w.Write(append(encoded, '\n'))
	return err
}

// VisitRegisterClientResponse writes the answer to a registration.
func (a registrationAnswer) VisitRegisterClientResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitReadClientResponse writes the answer to a read.
func (a registrationAnswer) VisitReadClientResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitUpdateClientResponse writes the answer to an update.
func (a registrationAnswer) VisitUpdateClientResponse(w http.ResponseWriter) error { return a.write(w) }
