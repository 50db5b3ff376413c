-- An agent is a row: it exists whether or not anybody has woken it. The class is the label of the code that runs it, null
-- for its own name; the state is what that code declared, written only by the owner of the agent's shard.
ALTER TABLE agents
    ADD COLUMN class text CONSTRAINT agent_class_has_a_name CHECK (class <> ''),
    ADD COLUMN idle_timeout interval CONSTRAINT idle_timeout_is_positive CHECK (idle_timeout > interval '0'),
    ADD COLUMN state bytea NOT NULL DEFAULT '',
    ADD COLUMN state_version bigint NOT NULL DEFAULT 0 CONSTRAINT state_version_not_negative CHECK (state_version >= 0),
    ADD COLUMN state_saved_at timestamptz;

-- Room for the next state on the same page, and statistics before a million rows are planned for as if they were ten.
ALTER TABLE agents SET (
    fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 500);

CREATE POLICY owner_saves ON agents TO astra_journal USING (true) WITH CHECK (true);

GRANT UPDATE (idle_timeout) ON agents TO astra_app;
GRANT SELECT, UPDATE (state, state_version, state_saved_at), DELETE ON agents TO astra_journal;
