-- +goose Up
-- What belongs to a client refers to it with ON DELETE CASCADE: it ends in the statement
-- that deletes the client, so that no token outlives its client, whatever crashes, and
-- none is issued to a client that is being deleted. Each such table has an index or key
-- that begins with (tenant, client_id), which that deletion searches.
--
-- user_data is the JSON of the user, text for the reason that clients.metadata is.

CREATE TABLE grants (
    tenant           text        NOT NULL,
    id               text        NOT NULL,
    client_id        text        NOT NULL,
    subject          text        NOT NULL, -- also in user_data; here to be searched
    user_data        text        NOT NULL,
    authenticated_at timestamptz NOT NULL,
    scope            text        NOT NULL,
    resource         text,        -- NULL: none was asked for
    redirect_uri     text        NOT NULL,
    challenge        text        NOT NULL,
    nonce            text,        -- NULL: none was sent
    code_digest      bytea       NOT NULL,
    code_expires_at  timestamptz NOT NULL,
    redeemed_at      timestamptz, -- NULL: the code was not used
    family_digest    bytea,       -- NULL: no refresh tokens
    refresh_digest   bytea,       -- NULL: no refresh tokens
    previous_digest  bytea,       -- NULL: only the present refresh token is of use
    refreshed_at     timestamptz, -- NULL: no refresh tokens
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    revoked_at       timestamptz, -- NULL: it stands
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id) ON DELETE CASCADE
);
-- For the deletion of a client, and for a user who disconnects one.
CREATE INDEX grants_by_client ON grants (tenant, client_id, subject);
-- For the page on which users see their clients. With expires_at, since a planner without
-- statistics would otherwise search the index below for all that has not expired.
CREATE INDEX grants_by_subject ON grants (tenant, subject, expires_at);
-- For the clean-up, here and below.
CREATE INDEX grants_by_expiry ON grants (tenant, expires_at);

-- The client stands before the subject in the key, which so serves the deletion of a
-- client as well. target is a digest: redirect URI and resource are too long for a key.
CREATE TABLE consents (
    tenant        text        NOT NULL,
    client_id     text        NOT NULL,
    subject       text        NOT NULL,
    target        bytea       NOT NULL,
    scope         text        NOT NULL,
    client_digest bytea       NOT NULL,
    granted_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, client_id, subject, target),
    FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id) ON DELETE CASCADE
);
CREATE INDEX consents_by_expiry ON consents (tenant, expires_at);

-- The primary key is what lets an assertion be spent once only.
CREATE TABLE assertions (
    tenant     text        NOT NULL,
    client_id  text        NOT NULL,
    digest     bytea       NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, client_id, digest),
    FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id) ON DELETE CASCADE
);
CREATE INDEX assertions_by_expiry ON assertions (tenant, expires_at);

CREATE TABLE sessions (
    tenant           text        NOT NULL,
    id               text        NOT NULL,
    digest           bytea       NOT NULL,
    user_data        text        NOT NULL,
    authenticated_at timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX sessions_by_expiry ON sessions (tenant, expires_at);
-- Sessions also end by not being used.
CREATE INDEX sessions_by_use ON sessions (tenant, seen_at);

CREATE TABLE login_attempts (
    tenant      text        NOT NULL,
    id          text        NOT NULL,
    digest      bytea       NOT NULL,
    browser     bytea       NOT NULL,
    continue_to text        NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX login_attempts_by_expiry ON login_attempts (tenant, expires_at);

-- sealed, here and below, is encrypted under the secret key of the deployment: neither
-- the database nor its backups can use it.
CREATE TABLE upstream_tokens (
    tenant  text  NOT NULL,
    subject text  NOT NULL,
    sealed  bytea NOT NULL,
    PRIMARY KEY (tenant, subject)
);

-- The primary key is what lets one of several replicas make the next key.
CREATE TABLE signing_keys (
    tenant     text        NOT NULL,
    algorithm  text        NOT NULL,
    generation bigint      NOT NULL,
    key_id     text        NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    PRIMARY KEY (tenant, algorithm, generation)
);

-- A lease is of the deployment, not of a tenant: it says which replica does a chore for
-- all of them. A row, since advisory locks do not pass a PgBouncer that pools
-- transactions, nor exist in every database that speaks this protocol.
CREATE TABLE leases (
    name       text        NOT NULL,
    holder     text        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (name)
);

-- +goose Down
DROP TABLE leases;
DROP TABLE signing_keys;
DROP TABLE upstream_tokens;
DROP TABLE login_attempts;
DROP TABLE sessions;
DROP TABLE assertions;
DROP TABLE consents;
DROP TABLE grants;
