namespace Astra.Postgres.Projection;

/// <summary>What the projection writes. $1 and $2 are always the shards and the epochs they are written under.</summary>
/// <remarks>What is written by the thousand unnests its columns like an append does, see <see cref="Journal.JournalSql.Append"/>.</remarks>
internal static class ProjectionSql
{
    /// <summary>The same lock as an append takes. The statements behind it see what it has settled.</summary>
    public const string Lock = """
        SELECT s.shard
        FROM shards AS s
        JOIN unnest($1, $2) AS owner (shard, epoch) ON owner.shard = s.shard AND owner.epoch = s.epoch
        ORDER BY s.shard
        FOR SHARE OF s
        """;

    /// <summary>Whether the shard of <c>e</c> is held under its epoch.</summary>
    /// <remarks>IS TRUE keeps the planner from turning it into a join: then it is one look into a hash table that is made
    /// once for the statement. As a join it was planned for a handful of rows and repeated for each of thousands.</remarks>
    internal const string IsHeld = """
        (e.shard IN (SELECT s.shard FROM shards AS s JOIN unnest($1, $2) AS owner (shard, epoch) ON owner.shard = s.shard AND owner.epoch = s.epoch)) IS TRUE
        """;

    /// <summary>Read once for the statement, likewise: few goals are ever in quarantine.</summary>
    private const string Quarantined = "(SELECT q.tenant, q.goal FROM quarantined_goals AS q)";

    public const string Quarantine = $"""
        INSERT INTO quarantined_goals (shard, tenant, goal, reason)
        SELECT e.shard, e.tenant, e.goal, e.reason
        FROM unnest($3, $4, $5, $6) AS e (shard, tenant, goal, reason)
        WHERE {IsHeld}
        ON CONFLICT (tenant, goal) DO UPDATE SET reason = excluded.reason, quarantined_at = excluded.quarantined_at
        WHERE quarantined_goals.discarded_at IS NULL AND quarantined_goals.reason <> excluded.reason
        """;

    /// <summary>Goals that the batch only has tasks of, and that the tables do not know.</summary>
    public const string QuarantineUnknown = $"""
        INSERT INTO quarantined_goals (shard, tenant, goal, reason)
        SELECT e.shard, e.tenant, e.goal, 'task_has_goal: there are rows of tasks and none of their goal'
        FROM unnest($3, $4, $5) AS e (shard, tenant, goal)
        WHERE {IsHeld} AND NOT EXISTS (SELECT FROM goals AS g WHERE g.tenant = e.tenant AND g.id = e.goal)
        ON CONFLICT (tenant, goal) DO NOTHING
        """;

    /// <summary>What a goal was submitted with never changes, so an update leaves it where it is, large inputs above all.</summary>
    public const string UpsertGoals = $"""
        INSERT INTO goals AS g (
            shard, tenant, id, agent, title, input, priority, dead_task_policy, state, revision, last_seq, created_at, ended_at, result, reason,
            idempotency_key, request_digest, submitted_by, pending_count, ready_count, running_count, completed_count, cancelled_count, dead_count,
            extras, first_seq)
        SELECT e.*, w.watermark + 1
        FROM (SELECT
            unnest($3) AS shard, unnest($4) AS tenant, unnest($5) AS id, unnest($6) AS agent, unnest($7) AS title, unnest($8) AS input,
            unnest($9) AS priority, unnest($10) AS dead_task_policy, unnest($11) AS state, unnest($12) AS revision, unnest($13) AS last_seq,
            unnest($14) AS created_at, unnest($15) AS ended_at, unnest($16) AS result, unnest($17) AS reason, unnest($18) AS idempotency_key,
            unnest($19) AS request_digest, unnest($20) AS submitted_by, unnest($21) AS pending_count, unnest($22) AS ready_count,
            unnest($23) AS running_count, unnest($24) AS completed_count, unnest($25) AS cancelled_count, unnest($26) AS dead_count,
            unnest($27) AS extras) AS e
        JOIN shard_watermarks AS w ON w.shard = e.shard
        WHERE {IsHeld}
          AND (e.tenant, e.id) NOT IN {Quarantined}
        ON CONFLICT (tenant, id) DO UPDATE SET
            priority = excluded.priority, state = excluded.state, revision = excluded.revision, last_seq = excluded.last_seq,
            ended_at = excluded.ended_at, result = excluded.result, reason = excluded.reason,
            pending_count = excluded.pending_count, ready_count = excluded.ready_count, running_count = excluded.running_count,
            completed_count = excluded.completed_count, cancelled_count = excluded.cancelled_count, dead_count = excluded.dead_count,
            extras = excluded.extras
        """;

    /// <summary>What a task was added with never changes, apart from its priority and what it waits for; its executor and input
    /// only when a person fixes it, which its extras count. A large input is not written again for less.</summary>
    public const string UpsertTasks = $"""
        INSERT INTO tasks AS t (
            tenant, goal, id, name, executor, kind, input, priority, attempt_count_max, lease_duration, after_tasks, after_kinds,
            state, attempt, failure_count, expiry_count, created_at, due_at, started_at, ended_at, worker, worker_name,
            output, failure_kind, failure_reason, failure_fingerprint, reason, worker_process, doomed_by, extras, asks_approval)
        SELECT e.tenant, e.goal, e.id, e.name, e.executor, e.kind, e.input, e.priority, e.attempt_count_max, e.lease_duration,
            ($16::uuid[])[e.after_start : e.after_start + e.after_count - 1], ($17::smallint[])[e.after_start : e.after_start + e.after_count - 1],
            e.state, e.attempt, e.failure_count, e.expiry_count, e.created_at, e.due_at, e.started_at, e.ended_at, e.worker, e.worker_name,
            e.output, e.failure_kind, e.failure_reason, e.failure_fingerprint, e.reason, e.worker_process, e.doomed_by, e.extras, e.asks_approval
        FROM (SELECT
            unnest($3) AS shard, unnest($4) AS tenant, unnest($5) AS goal, unnest($6) AS id, unnest($7) AS name, unnest($8) AS executor,
            unnest($9) AS kind, unnest($10) AS input, unnest($11) AS priority, unnest($12) AS attempt_count_max, unnest($13) AS lease_duration,
            unnest($14) AS after_start, unnest($15) AS after_count, unnest($18) AS state, unnest($19) AS attempt, unnest($20) AS failure_count,
            unnest($21) AS expiry_count, unnest($22) AS created_at, unnest($23) AS due_at, unnest($24) AS started_at, unnest($25) AS ended_at,
            unnest($26) AS worker, unnest($27) AS worker_name, unnest($28) AS output, unnest($29) AS failure_kind, unnest($30) AS failure_reason,
            unnest($31) AS failure_fingerprint, unnest($32) AS reason, unnest($33) AS worker_process, unnest($34) AS doomed_by, unnest($35) AS extras,
            unnest($36) AS asks_approval) AS e
        WHERE {IsHeld}
          AND (e.tenant, e.goal) NOT IN {Quarantined}
        ON CONFLICT (tenant, id) DO UPDATE SET
            executor = excluded.executor, input = CASE WHEN t.extras = excluded.extras THEN t.input ELSE excluded.input END,
            priority = excluded.priority, after_tasks = excluded.after_tasks, after_kinds = excluded.after_kinds,
            state = excluded.state, attempt = excluded.attempt, failure_count = excluded.failure_count, expiry_count = excluded.expiry_count,
            due_at = excluded.due_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
            worker = excluded.worker, worker_name = excluded.worker_name, output = excluded.output,
            failure_kind = excluded.failure_kind, failure_reason = excluded.failure_reason, failure_fingerprint = excluded.failure_fingerprint,
            reason = excluded.reason, worker_process = excluded.worker_process, doomed_by = excluded.doomed_by, extras = excluded.extras,
            asks_approval = excluded.asks_approval
        """;

    /// <summary>The same for tasks that have no row yet and of which there is little to tell. Twelve columns fewer are
    /// half of the work, and nearly every task is written like this once.</summary>
    /// <remarks>It does not look for a row first. One is there only if the same rows were committed before and the answer
    /// was lost; then the key refuses the batch, and taken apart it is written as whole rows.</remarks>
    public const string AddTasks = $"""
        INSERT INTO tasks (
            tenant, goal, id, name, executor, kind, input, priority, attempt_count_max, lease_duration, after_tasks, after_kinds,
            state, attempt, failure_count, expiry_count, created_at, started_at, ended_at, output, extras)
        SELECT e.tenant, e.goal, e.id, e.name, e.executor, e.kind, e.input, e.priority, e.attempt_count_max, e.lease_duration,
            ($16::uuid[])[e.after_start : e.after_start + e.after_count - 1], ($17::smallint[])[e.after_start : e.after_start + e.after_count - 1],
            e.state, e.attempt, 0, 0, e.created_at, e.started_at, e.ended_at, e.output, e.extras
        FROM (SELECT
            unnest($3) AS shard, unnest($4) AS tenant, unnest($5) AS goal, unnest($6) AS id, unnest($7) AS name, unnest($8) AS executor,
            unnest($9) AS kind, unnest($10) AS input, unnest($11) AS priority, unnest($12) AS attempt_count_max, unnest($13) AS lease_duration,
            unnest($14) AS after_start, unnest($15) AS after_count, unnest($18) AS state, unnest($19) AS attempt, unnest($20) AS created_at,
            unnest($21) AS started_at, unnest($22) AS ended_at, unnest($23) AS output, unnest($24) AS extras) AS e
        WHERE {IsHeld}
          AND (e.tenant, e.goal) NOT IN {Quarantined}
        """;

    /// <summary>Tasks that have a row and have moved on as planned.</summary>
    public const string MoveTasks = $"""
        UPDATE tasks AS t SET
            state = e.state, attempt = e.attempt, started_at = e.started_at, ended_at = e.ended_at,
            worker = e.worker, worker_name = e.worker_name, worker_process = e.worker_process, output = e.output
        FROM (SELECT
            unnest($3) AS shard, unnest($4) AS tenant, unnest($5) AS id, unnest($6) AS state, unnest($7) AS attempt, unnest($8) AS started_at,
            unnest($9) AS ended_at, unnest($10) AS worker, unnest($11) AS worker_name, unnest($12) AS worker_process, unnest($13) AS output) AS e
        WHERE t.tenant = e.tenant AND t.id = e.id AND {IsHeld}
          AND (t.tenant, t.goal) NOT IN {Quarantined}
        """;

    public const string RemoveTasks = $"""
        DELETE FROM tasks AS t
        USING unnest($3, $4, $5) AS e (shard, tenant, id)
        WHERE t.tenant = e.tenant AND t.id = e.id AND {IsHeld}
          AND (t.tenant, t.goal) NOT IN {Quarantined}
        """;

    /// <summary>A row of a dead task may be written many times; each death is one row here. A reason is cut: what is told of
    /// a death is a message, and the task has the whole of it.</summary>
    public const string AddDeaths = $"""
        INSERT INTO task_deaths (tenant, goal, task, attempt, at, kind, executor, fingerprint, reason)
        SELECT e.tenant, e.goal, e.task, e.attempt, e.at, e.kind, e.executor, e.fingerprint, left(e.reason, 1000)
        FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS e (shard, tenant, goal, task, attempt, at, kind, executor, fingerprint, reason)
        WHERE {IsHeld}
          AND (e.tenant, e.goal) NOT IN {Quarantined}
        ON CONFLICT (tenant, task, at) DO NOTHING
        """;

    public const string AdvanceWatermarks = $"""
        UPDATE shard_watermarks AS w
        SET watermark = GREATEST(w.watermark, e.watermark)
        FROM unnest($1, $3) AS e (shard, watermark)
        WHERE w.shard = e.shard AND {IsHeld}
        """;

    public const string ReadQuarantined = """
        SELECT q.goal, q.reason
        FROM quarantined_goals AS q
        JOIN unnest($1, $2) AS e (tenant, goal) ON q.tenant = e.tenant AND q.goal = e.goal
        """;
}
