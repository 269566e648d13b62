-- +goose Up
-- bounds, here and in clients, is JSON: what narrows the tenant's policy.
CREATE TABLE initial_access_tokens (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL,
    bounds     TEXT, -- NULL: none
    uses_left  INTEGER, -- NULL: any number
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP, -- NULL: it does not expire
    revoked_at TIMESTAMP, -- NULL: it stands
    PRIMARY KEY (tenant, id)
);
ALTER TABLE clients ADD COLUMN initial_token TEXT; -- NULL: registered without one
ALTER TABLE clients ADD COLUMN bounds TEXT; -- NULL: none

-- +goose Down
ALTER TABLE clients DROP COLUMN bounds;
ALTER TABLE clients DROP COLUMN initial_token;
DROP TABLE initial_access_tokens;
