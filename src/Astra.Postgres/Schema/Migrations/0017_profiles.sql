-- Profiles of agents without code. One that was set stays as it was under its digest, so that a plan goes on with the profile it
-- was made with; the latest is the agent's. They go when their agent goes.
CREATE TABLE agent_profiles (
    set_at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    agent text NOT NULL,
    digest text NOT NULL CONSTRAINT digest_is_of_sha256 CHECK (digest ~ '^[0-9a-f]{64}$'),
    set_by text NOT NULL,
    content bytea NOT NULL CONSTRAINT profile_has_content CHECK (octet_length(content) > 0),
    PRIMARY KEY (tenant, agent, digest),
    CONSTRAINT profile_is_of_an_agent FOREIGN KEY (tenant, agent) REFERENCES agents ON DELETE CASCADE
);
CREATE INDEX latest_profile ON agent_profiles (tenant, agent, set_at DESC);

ALTER TABLE agent_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON agent_profiles TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
GRANT SELECT, INSERT, UPDATE (set_at, set_by), DELETE ON agent_profiles TO astra_app;
