-- +goose Up
-- metadata is text, not jsonb: jsonb refuses valid JSON that a client may send inside
-- a jwks (\u0000, huge numbers), rewrites what it takes, and parses on every write.
-- To query it: metadata::jsonb.
CREATE TABLE clients (
    tenant                text        NOT NULL,
    id                    text        NOT NULL,
    owner                 text,       -- NULL: the client belongs to its tenant
    origin                text        NOT NULL,
    scope_policy          text        NOT NULL,
    metadata              text        NOT NULL,
    auth_method_defaulted boolean     NOT NULL,
    secret_digest         bytea,      -- NULL: a client without a secret
    access_token_digest   bytea,      -- NULL: revoked
    created_at            timestamptz NOT NULL,
    created_from          text,       -- NULL: not known
    created_agent         text        NOT NULL,
    updated_at            timestamptz NOT NULL,
    version               bigint      NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- +goose Down
DROP TABLE clients;
