-- Each death of a task, whatever becomes of the task later: an attempt's number is never used twice, so rows that are
-- projected again tell of nothing new. Written with the tasks' rows, in their transaction; forgotten after some days.
CREATE TABLE task_deaths (
    at timestamptz NOT NULL,
    attempt integer NOT NULL,
    is_heard boolean NOT NULL DEFAULT false,
    tenant uuid NOT NULL,
    task uuid NOT NULL,
    goal uuid NOT NULL,
    kind text NOT NULL,
    executor text NOT NULL,
    fingerprint text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant, task, attempt)
);
CREATE INDEX deaths_by_time ON task_deaths (tenant, at);
CREATE INDEX deaths_to_forget ON task_deaths (at);
CREATE INDEX deaths_nobody_heard ON task_deaths (at) WHERE NOT is_heard;

-- Where a tenant wants to be told. The secret is sealed under a key that the roles which read this table cannot read,
-- and bound to this row; the role that answers people does not even see it sealed.
CREATE TABLE hooks (
    created_at timestamptz NOT NULL,
    tenant uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    url text NOT NULL CONSTRAINT hook_has_an_address CHECK (url <> ''),
    kinds text[] NOT NULL CONSTRAINT hook_wants_something CHECK (cardinality(kinds) > 0),
    created_by text NOT NULL,
    sealed_secret bytea NOT NULL CONSTRAINT secret_is_sealed CHECK (octet_length(sealed_secret) >= 60),
    PRIMARY KEY (tenant, id)
);

-- What there is to tell, numbered per tenant, in the very bytes that are sent. The subject keeps one from being told twice.
CREATE TABLE failure_events (
    seq bigint NOT NULL CONSTRAINT event_numbers_start_at_one CHECK (seq >= 1),
    at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    kind text NOT NULL,
    subject text,
    body bytea NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE UNIQUE INDEX told_once ON failure_events (tenant, kind, subject) WHERE subject IS NOT NULL;
CREATE INDEX events_to_forget ON failure_events (at);

-- The outbox: made in the transaction of its event, and there until the receiver has taken it or the tries are used up.
CREATE TABLE hook_deliveries (
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    attempt integer NOT NULL DEFAULT 0 CONSTRAINT attempt_not_negative CHECK (attempt >= 0),
    state smallint NOT NULL CONSTRAINT delivery_state_is_known CHECK (state BETWEEN 1 AND 3),
    status smallint,
    tenant uuid NOT NULL,
    hook uuid NOT NULL,
    message uuid NOT NULL,
    problem text,
    PRIMARY KEY (tenant, hook, seq),
    CONSTRAINT delivery_of_a_hook FOREIGN KEY (tenant, hook) REFERENCES hooks ON DELETE CASCADE,
    CONSTRAINT waiting_iff_due CHECK ((state = 1) = (due_at IS NOT NULL)),
    CONSTRAINT delivery_ended_iff_final CHECK ((state = 1) = (ended_at IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX deliveries_due ON hook_deliveries (due_at) WHERE state = 1;

ALTER TABLE task_deaths ENABLE ROW LEVEL SECURITY;
ALTER TABLE task_deaths FORCE ROW LEVEL SECURITY;
ALTER TABLE hooks ENABLE ROW LEVEL SECURITY;
ALTER TABLE hooks FORCE ROW LEVEL SECURITY;
ALTER TABLE failure_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE failure_events FORCE ROW LEVEL SECURITY;
ALTER TABLE hook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE hook_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY journal_projects ON task_deaths TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY journal_delivers ON hooks TO astra_journal USING (true);
CREATE POLICY journal_delivers ON failure_events TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY journal_delivers ON hook_deliveries TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON task_deaths FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY of_tenant ON hooks TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY tenant_reads ON failure_events FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY tenant_reads ON hook_deliveries FOR SELECT TO astra_app USING (tenant = current_tenant());

GRANT SELECT, INSERT, UPDATE (is_heard), DELETE ON task_deaths TO astra_journal;
GRANT SELECT ON hooks TO astra_journal;
GRANT SELECT, INSERT, DELETE ON failure_events TO astra_journal;
GRANT SELECT, INSERT, UPDATE (due_at, ended_at, attempt, state, status, problem), DELETE ON hook_deliveries TO astra_journal;
GRANT SELECT ON task_deaths, failure_events, hook_deliveries TO astra_app;
GRANT SELECT (created_at, tenant, id, url, kinds, created_by), INSERT, DELETE ON hooks TO astra_app;
