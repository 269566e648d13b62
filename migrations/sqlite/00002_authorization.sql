-- +goose Up
-- What belongs to a client refers to it with ON DELETE CASCADE: it ends in the statement
-- that deletes the client, so that no token outlives its client, whatever crashes, and
-- none is issued to a client that is being deleted. Each such table has an index or key
-- that begins with (tenant, client_id), which that deletion searches.
--
-- user_data is the JSON of the user. Times are UTC text that sorts by time.

CREATE TABLE grants (
    tenant           TEXT      NOT NULL,
    id               TEXT      NOT NULL,
    client_id        TEXT      NOT NULL,
    subject          TEXT      NOT NULL, -- also in user_data; here to be searched
    user_data        TEXT      NOT NULL,
    authenticated_at TIMESTAMP NOT NULL,
    scope            TEXT      NOT NULL,
    resource         TEXT,      -- NULL: none was asked for
    redirect_uri     TEXT      NOT NULL,
    challenge        TEXT      NOT NULL,
    nonce            TEXT,      -- NULL: none was sent
    code_digest      BLOB      NOT NULL,
    code_expires_at  TIMESTAMP NOT NULL,
    redeemed_at      TIMESTAMP, -- NULL: the code was not used
    family_digest    BLOB,      -- NULL: no refresh tokens
    refresh_digest   BLOB,      -- NULL: no refresh tokens
    previous_digest  BLOB,      -- NULL: only the present refresh token is of use
    refreshed_at     TIMESTAMP, -- NULL: no refresh tokens
    created_at       TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    revoked_at       TIMESTAMP, -- NULL: it stands
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
    tenant        TEXT      NOT NULL,
    client_id     TEXT      NOT NULL,
    subject       TEXT      NOT NULL,
    target        BLOB      NOT NULL,
    scope         TEXT      NOT NULL,
    client_digest BLOB      NOT NULL,
    granted_at    TIMESTAMP NOT NULL,
    expires_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, client_id, subject, target),
    FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id) ON DELETE CASCADE
);
CREATE INDEX consents_by_expiry ON consents (tenant, expires_at);

-- The primary key is what lets an assertion be spent once only.
CREATE TABLE assertions (
    tenant     TEXT      NOT NULL,
    client_id  TEXT      NOT NULL,
    digest     BLOB      NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, client_id, digest),
    FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id) ON DELETE CASCADE
);
CREATE INDEX assertions_by_expiry ON assertions (tenant, expires_at);

CREATE TABLE sessions (
    tenant           TEXT      NOT NULL,
    id               TEXT      NOT NULL,
    digest           BLOB      NOT NULL,
    user_data        TEXT      NOT NULL,
    authenticated_at TIMESTAMP NOT NULL,
    seen_at          TIMESTAMP NOT NULL,
    expires_at       TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX sessions_by_expiry ON sessions (tenant, expires_at);
-- Sessions also end by not being used.
CREATE INDEX sessions_by_use ON sessions (tenant, seen_at);

CREATE TABLE login_attempts (
    tenant      TEXT      NOT NULL,
    id          TEXT      NOT NULL,
    digest      BLOB      NOT NULL,
    browser     BLOB      NOT NULL,
    continue_to TEXT      NOT NULL,
    expires_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX login_attempts_by_expiry ON login_attempts (tenant, expires_at);

-- sealed, here and below, is encrypted under the secret key of the deployment: neither
-- the database nor its backups can use it.
CREATE TABLE upstream_tokens (
    tenant  TEXT      NOT NULL,
    subject TEXT      NOT NULL,
    sealed  BLOB      NOT NULL,
    PRIMARY KEY (tenant, subject)
);

-- The primary key is what lets one of several replicas make the next key.
CREATE TABLE signing_keys (
    tenant     TEXT      NOT NULL,
    algorithm  TEXT      NOT NULL,
    generation INTEGER   NOT NULL,
    key_id     TEXT      NOT NULL,
    sealed     BLOB      NOT NULL,
    created_at TIMESTAMP NOT NULL,
    signs_from TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, algorithm, generation)
);

-- A lease is of the deployment, not of a tenant: it says which process does a chore for
-- all of them.
CREATE TABLE leases (
    name       TEXT      NOT NULL,
    holder     TEXT      NOT NULL,
    expires_at TIMESTAMP NOT NULL,
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
