-- Answers from the cache are counted before they are written: one record for many, and nothing to pay.
ALTER TABLE model_usage ADD COLUMN calls bigint NOT NULL DEFAULT 1 CONSTRAINT calls_were_made CHECK (calls > 0);
ALTER TABLE model_usage DROP CONSTRAINT outcome_is_known;
ALTER TABLE model_usage ADD CONSTRAINT outcome_is_known CHECK (outcome BETWEEN 1 AND 6);

-- What a goal's tasks were answered by models and tools, under the digest of all they had asked for.
CREATE TABLE goal_recordings (
    at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    goal uuid NOT NULL,
    id uuid NOT NULL,
    task uuid NOT NULL,
    kind smallint NOT NULL CONSTRAINT recording_kind_is_known CHECK (kind BETWEEN 1 AND 2),
    request bytea NOT NULL CONSTRAINT request_is_a_digest CHECK (octet_length(request) = 32),
    name text NOT NULL,
    answer bytea NOT NULL,
    PRIMARY KEY (tenant, goal, id)
);
CREATE INDEX recordings_to_forget ON goal_recordings (at);

ALTER TABLE goal_recordings ENABLE ROW LEVEL SECURITY;
ALTER TABLE goal_recordings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON goal_recordings FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY journal_records ON goal_recordings TO astra_journal USING (true) WITH CHECK (true);

GRANT SELECT ON goal_recordings TO astra_app;
GRANT SELECT, INSERT, DELETE ON goal_recordings TO astra_journal;
