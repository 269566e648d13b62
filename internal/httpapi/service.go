package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/seed-9c856424/registrar/gen/api"
	"github.com/seed-9c856424/registrar/internal/oauth"
)

// GetHealth tells that the process serves requests.
func (s *server) GetHealth(context.Context, api.GetHealthRequestObject) (api.GetHealthResponseObject, error) {
	return api.GetHealth200JSONResponse{HealthyJSONResponse: healthy()}, nil
}

// GetReadiness tells whether the store can serve.
func (s *server) GetReadiness(ctx context.Context, _ api.GetReadinessRequestObject) (api.GetReadinessResponseObject, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the store cannot serve", Cause: err}
	}
	return api.GetReadiness200JSONResponse{HealthyJSONResponse: healthy()}, nil
}

func healthy() api.HealthyJSONResponse {
	return api.HealthyJSONResponse{
		Body:    api.Health{Status: "ok"},
		Headers: api.HealthyResponseHeaders{CacheControl: noStore},
	}
}

// GetContractYAML returns the contract with this server's address.
func (s *server) GetContractYAML(context.Context, api.GetContractYAMLRequestObject) (api.GetContractYAMLResponseObject, error) {
	return api.GetContractYAML200ApplicationYamlResponse{
		Body:          bytes.NewReader(s.contract.yaml),
		ContentLength: int64(len(s.contract.yaml)),
		Headers:       api.GetContractYAML200ResponseHeaders{CacheControl: cacheable},
	}, nil
}

// contractJSON is the contract, encoded once.
type contractJSON json.RawMessage

// GetContractJSON returns the same contract as JSON.
func (s *server) GetContractJSON(context.Context, api.GetContractJSONRequestObject) (api.GetContractJSONResponseObject, error) {
	return contractJSON(s.contract.json), nil
}

// VisitGetContractJSONResponse writes the contract.
func (c contractJSON) VisitGetContractJSONResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", cacheable)
	_, err := w.Write(c)
	return err
}
