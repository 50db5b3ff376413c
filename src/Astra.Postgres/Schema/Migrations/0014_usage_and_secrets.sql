-- What each attempt at a model used, once for each attempt whoever writes it and how often.
CREATE TABLE model_usage (
    at timestamptz NOT NULL,
    cost_nanos bigint CONSTRAINT cost_not_negative CHECK (cost_nanos >= 0),
    input_tokens bigint NOT NULL CONSTRAINT input_not_negative CHECK (input_tokens >= 0),
    cached_tokens bigint NOT NULL CONSTRAINT cached_not_negative CHECK (cached_tokens >= 0),
    cache_write_tokens bigint NOT NULL CONSTRAINT cache_write_not_negative CHECK (cache_write_tokens >= 0),
    output_tokens bigint NOT NULL CONSTRAINT output_not_negative CHECK (output_tokens >= 0),
    reasoning_tokens bigint NOT NULL CONSTRAINT reasoning_is_output CHECK (reasoning_tokens BETWEEN 0 AND output_tokens),
    price_valid_from timestamptz,
    duration_ms integer NOT NULL CONSTRAINT duration_not_negative CHECK (duration_ms >= 0),
    first_token_ms integer CONSTRAINT first_token_not_negative CHECK (first_token_ms >= 0),
    outcome smallint NOT NULL CONSTRAINT outcome_is_known CHECK (outcome BETWEEN 1 AND 5),
    source smallint NOT NULL CONSTRAINT source_is_known CHECK (source BETWEEN 1 AND 2),
    tenant uuid NOT NULL,
    attempt uuid NOT NULL,
    request uuid NOT NULL,
    goal uuid,
    task uuid,
    api_key uuid,
    agent text,
    provider text NOT NULL,
    model text NOT NULL,
    operation text NOT NULL,
    PRIMARY KEY (tenant, attempt)
);
CREATE INDEX usage_by_time ON model_usage (tenant, at);
CREATE INDEX usage_to_forget ON model_usage (at);

-- Sealed under a key that is in no database; a sealed secret is bound to its tenant and name.
CREATE TABLE secrets (
    created_at timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    name text NOT NULL CONSTRAINT secret_has_a_name CHECK (name <> ''),
    key_id text NOT NULL,
    set_by text NOT NULL,
    sealed bytea NOT NULL CONSTRAINT secret_is_sealed CHECK (octet_length(sealed) > 28),
    PRIMARY KEY (tenant, name)
);

ALTER TABLE model_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_usage FORCE ROW LEVEL SECURITY;
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON model_usage FOR SELECT TO astra_app USING (tenant = current_tenant());
CREATE POLICY journal_accounts ON model_usage TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY of_tenant ON secrets TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());

GRANT SELECT ON model_usage TO astra_app;
GRANT SELECT, INSERT, DELETE ON model_usage TO astra_journal;
GRANT SELECT, INSERT, UPDATE (key_id, sealed, set_at, set_by), DELETE ON secrets TO astra_app;
