// Command bare is what Registrar is measured against: net/http and pgx with nothing in
// between. It mints the same credentials, carries out the same statements on the same
// table and answers the same bodies, and it holds its clients to no rule.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"

	"github.com/seed-9c856424/registrar/internal/credential"
	"github.com/seed-9c856424/registrar/internal/registration"
	"github.com/seed-9c856424/registrar/internal/tenant"
)

func main() {
	addr := flag.String("addr", "", "where to listen, host:port")
	database := flag.String("database", "", "URL of a database that registrar has migrated")
	issuer := flag.String("issuer", "", "what registration_client_uri begins with")
	flag.Parse()
	log.Fatal(serve(*addr, *database, *issuer))
}

func serve(addr, database, issuer string) error {
	pool, err := pgxpool.New(context.Background(), database)
	if err != nil {
		return err
	}
	h := &handler{pool: pool, issuer: issuer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/register", answer(h.register, http.StatusCreated))
	mux.HandleFunc("GET /oauth/register/{id}", answer(h.read, http.StatusOK))
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

type handler struct {
	pool   *pgxpool.Pool
	issuer string
}

// information is what Registrar answers (RFC 7592 §3).
type information struct {
	registration.Metadata
	ClientID                string `json:"client_id"`
	ClientSecret            string `json:"client_secret,omitempty"`
	ClientIDIssuedAt        int64  `json:"client_id_issued_at"`
	ClientSecretExpiresAt   int64  `json:"client_secret_expires_at"`
	RegistrationAccessToken string `json:"registration_access_token"`
	RegistrationClientURI   string `json:"registration_client_uri"`
}

// answer writes what a request yields. Here, every error is one of the server.
func answer(yield func(*http.Request) (*information, error), status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		info, err := yield(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(info)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

const insertClient = `INSERT INTO clients (tenant, id, owner, origin, scope_policy, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, updated_at, version)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

func (h *handler) register(r *http.Request) (*information, error) {
	var info information
	if err := json.NewDecoder(r.Body).Decode(&info.Metadata); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	id, idErr := ulid.New(ulid.Timestamp(now), rand.Reader)
	subject := strings.ToLower(id.String())
	token, tokenErr := credential.Mint(rand.Reader, credential.RegistrationAccessToken, subject)
	secret, secretErr := credential.Mint(rand.Reader, credential.ClientSecret, "")
	metadata, metadataErr := json.Marshal(info.Metadata)
	from, _, fromErr := net.SplitHostPort(r.RemoteAddr)
	if err := errors.Join(idErr, tokenErr, secretErr, metadataErr, fromErr); err != nil {
		return nil, err
	}
	h.describe(&info, "c_"+subject, token, now)
	info.ClientSecret = secret.Reveal()
	_, err := h.pool.Exec(r.Context(), insertClient, tenant.DefaultID, info.ClientID, nil,
		string(registration.OriginDynamic), string(registration.ScopeExplicit), string(metadata), false,
		[]byte(secret.Digest()), []byte(token.Digest()), now, from, r.UserAgent(), now, 1)
	return &info, err
}

const selectClient = `SELECT owner, origin, scope_policy, metadata, auth_method_defaulted,
	secret_digest, access_token_digest, created_at, created_from, created_agent, updated_at, version
	FROM clients WHERE tenant = $1 AND id = $2`

func (h *handler) read(r *http.Request) (*information, error) {
	var (
		info                            information
		owner, from                     *string
		origin, policy, metadata, agent string
		defaulted                       bool
		secretDigest, digest            []byte
		created, updated                time.Time
		version                         int64
	)
	id := r.PathValue("id")
	token := credential.Secret(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	err := h.pool.QueryRow(r.Context(), selectClient, tenant.DefaultID, id).Scan(&owner, &origin, &policy, &metadata,
		&defaulted, &secretDigest, &digest, &created, &from, &agent, &updated, &version)
	if err != nil {
		return nil, err
	}
	if !credential.Digest(digest).Verifies(token) {
		return nil, errors.New("the token is not the client's")
	}
	if err := json.Unmarshal([]byte(metadata), &info.Metadata); err != nil {
		return nil, err
	}
	h.describe(&info, id, token, created)
	return &info, nil
}

func (h *handler) describe(info *information, id string, token credential.Secret, issued time.Time) {
	info.ClientID, info.ClientIDIssuedAt = id, issued.Unix()
	info.RegistrationAccessToken = token.Reveal()
	info.RegistrationClientURI = h.issuer + "/oauth/register/" + id
}
