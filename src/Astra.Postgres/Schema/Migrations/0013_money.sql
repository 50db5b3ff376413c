-- Budgets. What may be spent (budgets), what was and what is held for it (budget_periods), and which node holds how much
-- (budget_leases). A budget of the whole platform is a row of the tenant zero, which no tenant is.
--
-- Spent and leased together never pass the limit by a draw: whoever draws locks the rows of the periods in the order of
-- their keys, looks, and raises what is leased. What was really spent moves from leased to spent: a node says how much of
-- its lease it has settled since its start and how much it still holds, never how much more, so saying it twice changes
-- nothing. The lease of a node that died stays leased, so it counts as spent until that node is back with its ledger, or a
-- person says otherwise.
CREATE TABLE money_version (
    is_only boolean PRIMARY KEY DEFAULT true CONSTRAINT money_has_one_version CHECK (is_only),
    version bigint NOT NULL
);
INSERT INTO money_version (version) VALUES (0);

CREATE TABLE budgets (
    limit_nanos bigint CONSTRAINT limit_not_negative CHECK (limit_nanos >= 0),
    version bigint NOT NULL,
    set_at timestamptz NOT NULL,
    level smallint NOT NULL CONSTRAINT level_is_known CHECK (level BETWEEN 1 AND 6),
    budget_window smallint NOT NULL CONSTRAINT window_is_known CHECK (budget_window BETWEEN 1 AND 3),
    degrade_at_percent smallint CONSTRAINT degrades_within_the_limit CHECK (degrade_at_percent BETWEEN 1 AND 100),
    tenant uuid NOT NULL,
    name text NOT NULL,
    degrade_to text,
    set_by text NOT NULL,
    PRIMARY KEY (tenant, level, name, budget_window),
    CONSTRAINT only_platform_and_tenant_have_no_name CHECK ((level <= 2) = (name = '')),
    CONSTRAINT only_the_platform_is_tenant_zero CHECK ((level = 1) = (tenant = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT degrades_to_something CHECK ((degrade_at_percent IS NULL) = (degrade_to IS NULL))
);
-- Nodes read what has changed since they last looked. A budget that was removed has no limit any more.
CREATE INDEX budgets_by_version ON budgets (version);

CREATE TABLE budget_periods (
    spent_nanos bigint NOT NULL CONSTRAINT spent_not_negative CHECK (spent_nanos >= 0),
    leased_nanos bigint NOT NULL DEFAULT 0,
    starts_on date NOT NULL,
    level smallint NOT NULL,
    budget_window smallint NOT NULL,
    told_percent smallint NOT NULL DEFAULT 0 CONSTRAINT told_not_negative CHECK (told_percent >= 0),
    tenant uuid NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (tenant, level, name, budget_window, starts_on),
    CONSTRAINT period_of_a_budget FOREIGN KEY (tenant, level, name, budget_window) REFERENCES budgets
) WITH (fillfactor = 70);

-- A node's ledger, from its start to its end. Past its time it is dead, and what it holds may be lost.
CREATE TABLE budget_holders (
    holder uuid PRIMARY KEY,
    node text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE budget_leases (
    drawn_nanos bigint NOT NULL,
    settled_nanos bigint NOT NULL CONSTRAINT settled_not_negative CHECK (settled_nanos >= 0),
    starts_on date NOT NULL,
    level smallint NOT NULL,
    budget_window smallint NOT NULL,
    tenant uuid NOT NULL,
    holder uuid NOT NULL REFERENCES budget_holders,
    name text NOT NULL,
    PRIMARY KEY (tenant, level, name, budget_window, starts_on, holder),
    CONSTRAINT lease_of_a_period FOREIGN KEY (tenant, level, name, budget_window, starts_on) REFERENCES budget_periods
) WITH (fillfactor = 70);
CREATE INDEX leases_of_holder ON budget_leases (holder);

-- What models cost per million tokens, by provider, model and time, the same for every tenant; one row for each size of
-- the input from which on it costs otherwise. A price is never changed: another one is valid from later on, so that what
-- was paid can be looked up.
CREATE TABLE model_prices (
    valid_from timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    above_tokens bigint NOT NULL CONSTRAINT above_not_negative CHECK (above_tokens >= 0),
    input_nanos bigint NOT NULL CONSTRAINT input_price_not_negative CHECK (input_nanos >= 0),
    cached_nanos bigint NOT NULL CONSTRAINT cached_price_not_negative CHECK (cached_nanos >= 0),
    cache_write_nanos bigint NOT NULL CONSTRAINT cache_write_price_not_negative CHECK (cache_write_nanos >= 0),
    output_nanos bigint NOT NULL CONSTRAINT output_price_not_negative CHECK (output_nanos >= 0),
    reasoning_nanos bigint NOT NULL CONSTRAINT reasoning_price_not_negative CHECK (reasoning_nanos >= 0),
    provider text NOT NULL CONSTRAINT price_has_a_provider CHECK (provider <> ''),
    model text NOT NULL CONSTRAINT price_has_a_model CHECK (model <> ''),
    set_by text NOT NULL,
    PRIMARY KEY (provider, model, valid_from, above_tokens)
);

ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_periods ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_periods FORCE ROW LEVEL SECURITY;
ALTER TABLE budget_leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_leases FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON budgets TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY tenant_reads ON budget_periods FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY tenant_reads ON budget_leases FOR SELECT TO astra_app USING (tenant = current_tenant());
-- One call is paid from budgets of a tenant and of the platform, and a draw looks at all of them.
CREATE POLICY journal_reads ON budgets FOR SELECT TO astra_journal USING (true);
CREATE POLICY journal_accounts ON budget_periods TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY journal_accounts ON budget_leases TO astra_journal USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (limit_nanos, version, set_at, degrade_at_percent, degrade_to, set_by) ON budgets TO astra_app;
GRANT SELECT ON budget_periods, budget_leases TO astra_app;
GRANT SELECT (holder, expires_at) ON budget_holders TO astra_app;
GRANT SELECT, UPDATE (version) ON money_version TO astra_app;
GRANT SELECT, INSERT ON model_prices TO astra_app;
GRANT SELECT ON budgets, model_prices, money_version TO astra_journal;
GRANT SELECT, INSERT, UPDATE (spent_nanos, leased_nanos, told_percent) ON budget_periods TO astra_journal;
GRANT SELECT, INSERT, UPDATE (expires_at), DELETE ON budget_holders TO astra_journal;
GRANT SELECT, INSERT, UPDATE (drawn_nanos, settled_nanos), DELETE ON budget_leases TO astra_journal;
