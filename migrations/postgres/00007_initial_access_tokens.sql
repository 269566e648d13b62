-- +goose Up
-- bounds, here and in clients, is JSON: what narrows the tenant's policy.
CREATE TABLE initial_access_tokens (
    tenant     text NOT NULL,
    id         text NOT NULL,
    name       text NOT NULL,
    digest     bytea NOT NULL,
    bounds     text, -- NULL: none
    uses_left  bigint, -- NULL: any number
    created_at timestamptz NOT NULL,
    expires_at timestamptz, -- NULL: it does not expire
    revoked_at timestamptz, -- NULL: it stands
    PRIMARY KEY (tenant, id)
);
ALTER TABLE clients ADD COLUMN initial_token text; -- NULL: registered without one
ALTER TABLE clients ADD COLUMN bounds text; -- NULL: none

-- +goose Down
ALTER TABLE clients DROP COLUMN bounds;
ALTER TABLE clients DROP COLUMN initial_token;
DROP TABLE initial_access_tokens;
