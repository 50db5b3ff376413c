-- Agents that were profiles and are no more. Whoever submits a goal for one is told so; of an agent that nobody knows it could be
-- that a worker brings it yet, and its goals wait for that.
CREATE TABLE removed_profiles (
    removed_at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    agent text NOT NULL,
    PRIMARY KEY (tenant, agent)
);

ALTER TABLE removed_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE removed_profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON removed_profiles FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY owner_removes ON removed_profiles TO astra_journal USING (true) WITH CHECK (true);

GRANT SELECT ON removed_profiles TO astra_app;
GRANT SELECT, INSERT, UPDATE (removed_at), DELETE ON removed_profiles TO astra_journal;
