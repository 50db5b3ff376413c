-- The rows people query: a projection of the log. Only the projection writes them, and it writes tasks joined to their
-- goals, so "every task has its goal" holds without a foreign key: its trigger would look up the goal once more for
-- each task, on the busiest path there is.
CREATE TABLE goals (
    revision bigint NOT NULL,
    -- The history of the goal lies between these numbers of its shard's log. The first is what the shard's watermark
    -- was when the row was made, plus one: before that there was nothing of it.
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    request_digest bigint NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    priority integer NOT NULL,
    pending_count integer NOT NULL,
    ready_count integer NOT NULL,
    running_count integer NOT NULL,
    completed_count integer NOT NULL,
    cancelled_count integer NOT NULL,
    dead_count integer NOT NULL,
    shard smallint NOT NULL,
    dead_task_policy smallint NOT NULL,
    state smallint NOT NULL,
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    agent text,
    title text NOT NULL,
    submitted_by text NOT NULL,
    idempotency_key text,
    reason text,
    input bytea NOT NULL,
    result bytea NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT goal_state_is_known CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT dead_task_policy_is_known CHECK (dead_task_policy BETWEEN 1 AND 2),
    CONSTRAINT goal_ended_iff_final CHECK ((state <> 1) = (ended_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 500);

CREATE UNIQUE INDEX one_goal_per_idempotency_key ON goals (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- What a shard loads when it starts.
CREATE INDEX active_goals_of_shard ON goals (shard) WHERE state = 1;
-- The lists people ask for. An update that leaves the state alone touches none of these: it stays on its page.
CREATE INDEX active_goals_of_tenant ON goals (tenant, id) WHERE state = 1;
CREATE INDEX troubled_goals_of_tenant ON goals (tenant, id, state) WHERE state IN (3, 4);
CREATE INDEX goals_of_agent ON goals (tenant, agent, id) WHERE agent IS NOT NULL;

CREATE TABLE tasks (
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    lease_duration interval NOT NULL,
    priority integer NOT NULL,
    attempt_count_max integer NOT NULL,
    attempt integer NOT NULL,
    failure_count integer NOT NULL,
    expiry_count integer NOT NULL,
    state smallint NOT NULL,
    failure_kind smallint,
    -- For the index of dead letters. An index on the state itself would make every update write to it and leave the
    -- page; this changes only when a task dies or is redriven.
    is_dead boolean GENERATED ALWAYS AS (state = 6) STORED,
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    goal uuid NOT NULL,
    worker uuid,
    worker_process uuid,
    doomed_by uuid,
    name text NOT NULL,
    executor text NOT NULL,
    kind text NOT NULL,
    worker_name text,
    failure_reason text,
    failure_fingerprint text,
    reason text,
    -- What it waits for, as arrays: always read and written with the task and never searched, so a table of edges
    -- would only be two more rows for each.
    after_tasks uuid[] NOT NULL,
    after_kinds smallint[] NOT NULL,
    input bytea NOT NULL,
    output bytea NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT task_state_is_known CHECK (state BETWEEN 1 AND 6),
    CONSTRAINT task_ended_iff_final CHECK ((state >= 4) = (ended_at IS NOT NULL)),
    CONSTRAINT running_has_worker CHECK (state <> 3 OR worker IS NOT NULL),
    CONSTRAINT dead_has_failure CHECK (state <> 6 OR failure_kind IS NOT NULL),
    CONSTRAINT failure_is_whole CHECK (
        (failure_kind IS NULL) = (failure_reason IS NULL) AND (failure_kind IS NULL) = (failure_fingerprint IS NULL)),
    CONSTRAINT counts_not_negative CHECK (attempt >= 0 AND failure_count >= 0 AND expiry_count >= 0),
    CONSTRAINT dependencies_are_whole CHECK (cardinality(after_tasks) = cardinality(after_kinds))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 500);

CREATE INDEX tasks_of_goal ON tasks (tenant, goal);
CREATE INDEX dead_tasks ON tasks (tenant, id) WHERE is_dead;

-- Goals whose rows the tables refused. What is there of them is no longer complete, so a shard does not load them;
-- the log still has everything.
CREATE TABLE quarantined_goals (
    tenant uuid NOT NULL,
    goal uuid NOT NULL,
    shard smallint NOT NULL,
    reason text NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, goal)
);

ALTER TABLE goals ENABLE ROW LEVEL SECURITY;
ALTER TABLE goals FORCE ROW LEVEL SECURITY;
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE tasks FORCE ROW LEVEL SECURITY;
ALTER TABLE quarantined_goals ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarantined_goals FORCE ROW LEVEL SECURITY;
CREATE POLICY journal_projects ON goals TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY journal_projects ON tasks TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY journal_projects ON quarantined_goals TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON goals FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY tenant_reads ON tasks FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY tenant_reads ON quarantined_goals FOR SELECT TO astra_app USING (tenant = current_tenant());

GRANT SELECT, INSERT, UPDATE ON goals TO astra_journal;
GRANT SELECT, INSERT, UPDATE, DELETE ON tasks TO astra_journal;
GRANT SELECT, INSERT ON quarantined_goals TO astra_journal;
GRANT SELECT ON goals, tasks, quarantined_goals TO astra_app;
