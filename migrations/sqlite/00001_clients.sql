-- +goose Up
-- SQLite has no lock that outlives a transaction. When two processes migrate at once,
-- this lets the version row of a migration be written once only, and the transaction
-- of the process that comes second is undone.
CREATE UNIQUE INDEX goose_db_version_once ON goose_db_version (version_id);

-- metadata is JSON, kept as it was written (as in PostgreSQL, where jsonb would refuse
-- some of it). Times are UTC text that sorts by time.
CREATE TABLE clients (
    tenant                TEXT      NOT NULL,
    id                    TEXT      NOT NULL,
    owner                 TEXT,     -- NULL: the client belongs to its tenant
    origin                TEXT      NOT NULL,
    scope_policy          TEXT      NOT NULL,
    metadata              TEXT      NOT NULL,
    auth_method_defaulted BOOLEAN   NOT NULL,
    secret_digest         BLOB,     -- NULL: a client without a secret
    access_token_digest   BLOB,     -- NULL: revoked
    created_at            TIMESTAMP NOT NULL,
    created_from          TEXT,     -- NULL: not known
    created_agent         TEXT      NOT NULL,
    updated_at            TIMESTAMP NOT NULL,
    version               INTEGER   NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- +goose Down
DROP TABLE clients;
DROP INDEX goose_db_version_once;
