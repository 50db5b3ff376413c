-- A deadline that passes ends a task wherever it is: the moves of command 13 are new, the others as they were. What is in
-- the log was checked against fewer moves, so there is nothing to look at again.
ALTER TABLE log DROP CONSTRAINT moves_are_legal;
ALTER TABLE log ADD CONSTRAINT moves_are_legal CHECK (
    CASE
        WHEN command IS NOT NULL THEN task IS NOT NULL AND COALESCE(from_state * 256 + command * 16 + to_state IN (
            274, 309, 421, 452, 470,
            545, 579, 677, 726,
            852, 866, 886, 898, 913, 933, 982,
            1457,
            1701, 1713), false)
        WHEN to_state IS NOT NULL THEN from_state IS NULL AND to_state IN (1, 2) AND kind = 3 AND task IS NOT NULL
        ELSE from_state IS NULL
    END) NOT VALID;

-- A node that drains wants no shards while another can have them.
ALTER TABLE nodes ADD COLUMN is_draining boolean NOT NULL DEFAULT false;

-- What people have told the scheduler. Every change raises the version; nodes look at that and read the rest anew.
CREATE TABLE controls_version (
    is_only boolean PRIMARY KEY DEFAULT true CONSTRAINT controls_have_one_version CHECK (is_only),
    version bigint NOT NULL
);
INSERT INTO controls_version (version) VALUES (0);

CREATE TABLE limits (
    tenant uuid NOT NULL,
    scope smallint NOT NULL CONSTRAINT scope_is_known CHECK (scope BETWEEN 1 AND 4),
    name text NOT NULL,
    concurrency integer CONSTRAINT concurrency_not_negative CHECK (concurrency >= 0),
    per_second integer CONSTRAINT per_second_positive CHECK (per_second >= 1),
    per_minute integer CONSTRAINT per_minute_positive CHECK (per_minute >= 1),
    PRIMARY KEY (tenant, scope, name),
    CONSTRAINT only_a_tenant_has_no_name CHECK ((scope = 1) = (name = '')),
    CONSTRAINT limit_limits_something CHECK (concurrency IS NOT NULL OR per_second IS NOT NULL OR per_minute IS NOT NULL)
);

CREATE TABLE weights (
    tenant uuid NOT NULL,
    agent text NOT NULL,
    weight integer NOT NULL CONSTRAINT weight_in_range CHECK (weight BETWEEN 1 AND 10000),
    PRIMARY KEY (tenant, agent)
);

CREATE TABLE paused_agents (
    tenant uuid NOT NULL,
    agent text NOT NULL CONSTRAINT paused_agent_has_a_name CHECK (agent <> ''),
    paused_by text NOT NULL,
    reason text,
    paused_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, agent)
);

CREATE TABLE schedules (
    created_at timestamptz NOT NULL,
    next_at timestamptz,
    last_at timestamptz,
    fired_count bigint NOT NULL CONSTRAINT fired_not_negative CHECK (fired_count >= 0),
    missed_count bigint NOT NULL CONSTRAINT missed_not_negative CHECK (missed_count >= 0),
    version bigint NOT NULL,
    misfire smallint NOT NULL CONSTRAINT misfire_is_known CHECK (misfire BETWEEN 1 AND 3),
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    last_goal uuid,
    name text NOT NULL,
    fires_when text NOT NULL,
    time_zone text NOT NULL,
    created_by text NOT NULL,
    paused_by text,
    last_problem text,
    submission bytea NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT schedule_is_named_once UNIQUE (tenant, name)
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL AND paused_by IS NULL;

ALTER TABLE limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE limits FORCE ROW LEVEL SECURITY;
ALTER TABLE weights ENABLE ROW LEVEL SECURITY;
ALTER TABLE weights FORCE ROW LEVEL SECURITY;
ALTER TABLE paused_agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE paused_agents FORCE ROW LEVEL SECURITY;
ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE schedules FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON limits TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY of_tenant ON weights TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY of_tenant ON paused_agents TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY of_tenant ON schedules TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
-- The scheduler serves every tenant: it reads all, and writes none of this.
CREATE POLICY scheduler_reads ON limits FOR SELECT TO astra_leases USING (true);
CREATE POLICY scheduler_reads ON weights FOR SELECT TO astra_leases USING (true);
CREATE POLICY scheduler_reads ON paused_agents FOR SELECT TO astra_leases USING (true);
CREATE POLICY scheduler_reads ON schedules FOR SELECT TO astra_leases USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON limits, weights, paused_agents, schedules TO astra_app;
GRANT SELECT, UPDATE (version) ON controls_version TO astra_app;
GRANT SELECT ON limits, weights, paused_agents, schedules, controls_version TO astra_leases;
