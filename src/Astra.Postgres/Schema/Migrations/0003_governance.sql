-- Each row shows itself only to a transaction that already knows it: by the tenant, by the tenant's name, or by the
-- hash of a key. There is no way to list other tenants or other people's keys.
CREATE TABLE tenants (
    tenant uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CONSTRAINT tenant_has_a_name CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
    tenant uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    sha256 bytea NOT NULL UNIQUE CONSTRAINT hash_is_sha256 CHECK (octet_length(sha256) = 32),
    name text NOT NULL,
    role smallint NOT NULL CONSTRAINT role_is_known CHECK (role BETWEEN 1 AND 3),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE agents (
    tenant uuid NOT NULL REFERENCES tenants,
    name text NOT NULL,
    description text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name)
);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agents FORCE ROW LEVEL SECURITY;
CREATE POLICY known_by_name ON tenants TO astra_app
    USING (tenant = current_tenant() OR name = NULLIF(current_setting('astra.tenant_name', true), ''))
    WITH CHECK (name = NULLIF(current_setting('astra.tenant_name', true), ''));
CREATE POLICY of_tenant ON api_keys TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY known_by_hash ON api_keys FOR SELECT TO astra_app
    USING (sha256 = decode(NULLIF(current_setting('astra.key_sha256', true), ''), 'hex'));
CREATE POLICY of_tenant ON agents TO astra_app USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());

GRANT SELECT, INSERT ON tenants TO astra_app;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_keys TO astra_app;
GRANT SELECT, INSERT, UPDATE (description) ON agents TO astra_app;
