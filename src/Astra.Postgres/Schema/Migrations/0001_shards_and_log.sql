GRANT USAGE ON SCHEMA astra TO astra_app, astra_journal, astra_leases;

-- The tenant of the transaction. Unset it is null, and null equals nothing: a forgotten tenant finds nothing. After a
-- transaction that set it, the setting is '' for the rest of the session, hence NULLIF.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('astra.tenant', true), '')::uuid;

-- Who lives. A lease id is new whenever a node has been away or was started anew, so that everything it owned is free
-- at once without touching a shard.
CREATE TABLE nodes (
    node_id text PRIMARY KEY,
    address text NOT NULL,
    incarnation uuid NOT NULL,
    lease_id bigint NOT NULL UNIQUE,
    previous_lease_id bigint,
    expires_at timestamptz NOT NULL
);
CREATE SEQUENCE lease_ids;

-- Who owns what. A shard is free when its lease_id is not that of a living node. An append locks its rows FOR SHARE,
-- which needs the right to update a column: "fence" is there for that and for nothing else.
CREATE TABLE shards (
    shard smallint PRIMARY KEY CONSTRAINT shard_is_one_of_4096 CHECK (shard BETWEEN 0 AND 4095),
    epoch bigint NOT NULL DEFAULT 0,
    lease_id bigint,
    fence boolean NOT NULL DEFAULT true CONSTRAINT fence_never_changes CHECK (fence)
) WITH (fillfactor = 50);
INSERT INTO shards (shard) SELECT generate_series(0, 4095);

-- How far the rows of a shard have come. A table of its own, so that projecting does not wait for those who append.
CREATE TABLE shard_watermarks (
    shard smallint PRIMARY KEY REFERENCES shards,
    watermark bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
INSERT INTO shard_watermarks (shard) SELECT generate_series(0, 4095);

-- The log. The key is the primary key's in another order: within a partition the segment is constant, and with the
-- shard in front one index serves the tail of a shard whichever segments it is in. There is no index by task or goal:
-- it cost 40 % of all appends; goals know the range of numbers their history lies in.
CREATE TABLE log (
    seq bigint NOT NULL CONSTRAINT seq_starts_at_one CHECK (seq >= 1),
    at timestamptz NOT NULL,
    attempt integer NOT NULL,
    key_id integer NOT NULL,
    shard smallint NOT NULL,
    segment smallint NOT NULL,
    kind smallint NOT NULL,
    from_state smallint,
    command smallint,
    to_state smallint,
    codec_version smallint NOT NULL,
    tenant uuid NOT NULL,
    goal uuid NOT NULL,
    task uuid,
    data bytea NOT NULL,
    PRIMARY KEY (shard, seq, segment),
    CONSTRAINT attempt_not_negative CHECK (attempt >= 0),
    -- The transition table of the kernel, each move as from * 256 + command * 16 + to; a test compares the two. A task
    -- that is added (kind 3) has no move: it arrives pending or ready.
    CONSTRAINT moves_are_legal CHECK (
        CASE
            WHEN command IS NOT NULL THEN task IS NOT NULL AND COALESCE(from_state * 256 + command * 16 + to_state IN (
                274, 309, 421,
                545, 579, 677,
                852, 866, 886, 898, 913, 933,
                1457,
                1701, 1713), false)
            WHEN to_state IS NOT NULL THEN from_state IS NULL AND to_state IN (1, 2) AND kind = 3 AND task IS NOT NULL
            ELSE from_state IS NULL
        END)
) PARTITION BY LIST (segment);

-- A ring of segments, made once: rolling on is an update and dropping is a TRUNCATE, so nothing at run time needs to
-- make a table or write SQL out of pieces.
CREATE TABLE log_00 PARTITION OF log FOR VALUES IN (0);
CREATE TABLE log_01 PARTITION OF log FOR VALUES IN (1);
CREATE TABLE log_02 PARTITION OF log FOR VALUES IN (2);
CREATE TABLE log_03 PARTITION OF log FOR VALUES IN (3);
CREATE TABLE log_04 PARTITION OF log FOR VALUES IN (4);
CREATE TABLE log_05 PARTITION OF log FOR VALUES IN (5);
CREATE TABLE log_06 PARTITION OF log FOR VALUES IN (6);
CREATE TABLE log_07 PARTITION OF log FOR VALUES IN (7);

CREATE TABLE log_segments (
    segment smallint PRIMARY KEY,
    opened_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT closed_after_opened CHECK (closed_at IS NULL OR opened_at <= closed_at)
);
CREATE UNIQUE INDEX one_segment_is_open ON log_segments ((true)) WHERE opened_at IS NOT NULL AND closed_at IS NULL;
INSERT INTO log_segments (segment, opened_at)
    SELECT segment, CASE WHEN segment = 0 THEN clock_timestamp() END FROM generate_series(0, 7) AS segment;

ALTER TABLE log ENABLE ROW LEVEL SECURITY;
ALTER TABLE log FORCE ROW LEVEL SECURITY;
-- Nobody reads a partition except through the log; if somebody ever could, there is no policy to let them see a row.
ALTER TABLE log_00 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_00 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_01 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_01 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_02 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_02 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_03 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_03 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_04 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_04 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_05 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_05 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_06 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_06 FORCE ROW LEVEL SECURITY;
ALTER TABLE log_07 ENABLE ROW LEVEL SECURITY; ALTER TABLE log_07 FORCE ROW LEVEL SECURITY;
CREATE POLICY journal_appends ON log TO astra_journal USING (true) WITH CHECK (true);
CREATE POLICY tenant_reads ON log FOR SELECT TO astra_app USING (tenant = current_tenant());

GRANT SELECT, INSERT ON log TO astra_journal;
GRANT SELECT ON log TO astra_app;
GRANT SELECT ON log_segments TO astra_journal;
GRANT SELECT, UPDATE (fence) ON shards TO astra_journal;
GRANT SELECT, UPDATE ON shard_watermarks TO astra_journal;
GRANT SELECT ON shard_watermarks TO astra_app;
GRANT SELECT, UPDATE (epoch, lease_id) ON shards TO astra_leases;
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO astra_leases;
GRANT USAGE ON SEQUENCE lease_ids TO astra_leases;

-- Closes the open segment and opens the next when it is larger or older than it may be. Without a free segment the
-- open one simply goes on: the log never stops for want of tidying. True when it has rolled.
CREATE FUNCTION roll_log(size_max bigint, age_max interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = astra, pg_temp AS $$
DECLARE
    open_segment smallint;
    next_segment smallint;
    is_old boolean;
    size bigint;
BEGIN
    SELECT segment, opened_at < clock_timestamp() - age_max INTO open_segment, is_old
        FROM log_segments WHERE opened_at IS NOT NULL AND closed_at IS NULL FOR UPDATE;
    size := pg_total_relation_size(CASE open_segment
        WHEN 0 THEN 'log_00'::regclass WHEN 1 THEN 'log_01'::regclass WHEN 2 THEN 'log_02'::regclass WHEN 3 THEN 'log_03'::regclass
        WHEN 4 THEN 'log_04'::regclass WHEN 5 THEN 'log_05'::regclass WHEN 6 THEN 'log_06'::regclass WHEN 7 THEN 'log_07'::regclass END);
    IF NOT is_old AND size <= size_max THEN
        RETURN false;
    END IF;
    SELECT segment INTO next_segment FROM log_segments WHERE opened_at IS NULL
        ORDER BY (segment - open_segment + 8) % 8 LIMIT 1 FOR UPDATE;
    IF next_segment IS NULL THEN
        RETURN false;
    END IF;
    UPDATE log_segments SET closed_at = clock_timestamp() WHERE segment = open_segment;
    UPDATE log_segments SET opened_at = clock_timestamp() WHERE segment = next_segment;
    RETURN true;
END
$$;

-- Empties a closed segment and makes it free again. The caller has made sure that nobody needs it; that it is closed
-- is checked here, because an open one must never go.
CREATE FUNCTION empty_log_segment(doomed smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = astra, pg_temp AS $$
BEGIN
    UPDATE log_segments SET opened_at = NULL, closed_at = NULL WHERE segment = doomed AND closed_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Segment % of the log is not closed.', doomed;
    END IF;
    CASE doomed
        WHEN 0 THEN TRUNCATE log_00; WHEN 1 THEN TRUNCATE log_01; WHEN 2 THEN TRUNCATE log_02; WHEN 3 THEN TRUNCATE log_03;
        WHEN 4 THEN TRUNCATE log_04; WHEN 5 THEN TRUNCATE log_05; WHEN 6 THEN TRUNCATE log_06; WHEN 7 THEN TRUNCATE log_07;
    END CASE;
END
$$;
REVOKE ALL ON FUNCTION roll_log, empty_log_segment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roll_log, empty_log_segment TO astra_journal;
