-- +goose Up
-- One row an act or, of what is counted, one for all alike within a minute. id is a ULID in
-- lower case: the key is in the order of time. client_id refers to no row, for an entry
-- outlives its client. NULL is what is not known, or is not the case.
--
-- A registration has no row while its client stands: the columns created_… of clients say
-- all of it, and the deletion copies them. The id of such an entry is that of the client
-- without its prefix, so that it keeps its place among the others.
CREATE TABLE audit_entries (
    tenant    TEXT      NOT NULL,
    id        TEXT      NOT NULL,
    action    TEXT      NOT NULL,
    at        TIMESTAMP NOT NULL,
    client_id TEXT,
    actor     TEXT      NOT NULL,
    address   TEXT,
    agent     TEXT,
    reason    TEXT,
    trace_id  TEXT,
    count     INTEGER   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_entries_by_client ON audit_entries (tenant, client_id, id);
CREATE INDEX audit_entries_by_action ON audit_entries (tenant, action, id);

ALTER TABLE clients ADD COLUMN created_trace TEXT; -- NULL: not known

-- +goose Down
ALTER TABLE clients DROP COLUMN created_trace;
DROP TABLE audit_entries;
