using Astra.Kernel.Actors;
using Astra.Kernel.Controls;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Timers;

namespace Astra.Kernel;

// How people steer what runs: pauses, limits, weights, draining, schedules.
public sealed partial class KernelNode
{
    // Between reading a schedule and writing it somebody else may have; then it is read again, so often.
    private const int ScheduleChangesMax = 5;

    // ---- Goals and agents -----------------------------------------------------------------------------------------

    /// <summary>Nothing of the goal is handed out any more; what runs goes on to its end. Pausing twice keeps the first.</summary>
    public ValueTask<Answer<GoalRow>> PauseGoalAsync(Caller caller, GoalId goal, string? reason) =>
        OnGoalAsync<GoalRow>(caller.Tenant, goal, new ShardRequest.PauseGoal(caller, goal, reason is null ? null : Clean(reason)));

    public ValueTask<Answer<GoalRow>> ResumeGoalAsync(Caller caller, GoalId goal) =>
        OnGoalAsync<GoalRow>(caller.Tenant, goal, new ShardRequest.ResumeGoal(caller, goal));

    /// <summary>Nothing of the agent's goals is handed out any more, on any node; what runs goes on to its end.</summary>
    public ValueTask<Answer<TenantControls>> PauseAgentAsync(Caller caller, string agent, string? reason) => ChangeControlsAsync(
        caller.Tenant, new ControlChange.PauseAgent(new PausedAgent(agent, caller.Principal, reason is null ? null : Clean(reason), _ports.Clock.UtcNow)));

    public ValueTask<Answer<TenantControls>> ResumeAgentAsync(Caller caller, string agent) =>
        ChangeControlsAsync(caller.Tenant, new ControlChange.ResumeAgent(agent));

    // ---- Limits and weights -----------------------------------------------------------------------------------------

    public ValueTask<Answer<TenantControls>> GetControlsAsync(TenantId tenant) => FromDatabaseAsync(() => _ports.Controls.ReadAsync(tenant, CancellationToken.None));

    /// <summary>Durable and in force here when it answers; elsewhere when the bus has carried the word, and with the next
    /// lease renewal at the latest.</summary>
    /// <returns>All controls of the tenant, as they are now; not found when there was nothing to take away.</returns>
    public async ValueTask<Answer<TenantControls>> ChangeControlsAsync(TenantId tenant, ControlChange change)
    {
        if (change.Check() is { } refusal)
            return refusal;
        var applied = await FromDatabaseAsync(() => _ports.Controls.ApplyAsync(tenant, change, CancellationToken.None));
        if (applied.Refusal is { } unavailable)
            return unavailable;
        if (!applied.Value && change is ControlChange.RemoveLimit)
            return new Refusal(RefusalKind.NotFound, "There is no such limit.");
        var isRead = await AreControlsReadAsync();
        _door.TellControlsChanged();
        return isRead ? await GetControlsAsync(tenant)
            : new Refusal(RefusalKind.Unavailable, "It is kept, and takes effect when the database answers again.", TimeSpan.FromSeconds(3));
    }

    private async ValueTask<bool> AreControlsReadAsync()
    {
        try
        {
            return (await _actors.Controls.AskAsync<ControlsRead>(ReadControls.Instance, CatchUpTimeout)).Failed is null;
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException)
        {
            // The node stops, or is too busy to say.
            return false;
        }
    }

    // ---- Draining ---------------------------------------------------------------------------------------------------

    /// <summary>From here on this node hands nothing out, and its shards go to other nodes if there are any; what runs goes
    /// on to its end. Not kept: a node that is started anew does not drain.</summary>
    public async ValueTask DrainAsync(bool isDraining)
    {
        _parts.Load.IsDraining = isDraining;
        _parts.Scheduler.TrySend(new DrainingChanged());
        _parts.Region.TrySend(new DrainChanged());
        await SummariseAsync();
    }

    /// <summary>
    /// Before a stop: drains, waits until the other nodes have the shards that were here, and until each of them knows it.
    /// Nobody hands a request on to this node from then on. Does nothing where no other node takes shards.
    /// </summary>
    /// <param name="patience">For the shards to become free. Whatever is still here then is taken over when the node has
    /// stopped.</param>
    public async ValueTask HandOverAsync(TimeSpan patience)
    {
        if (!_map.HasTakers(Self.Node))
            return;
        try
        {
            await DrainAsync(true);
            await _parts.Region.AskAsync<AllGivenBack>(GiveAllBack.Instance, patience);
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException or MessageFailedException)
        {
            return;
        }
        // Whoever looks takes its share of what is free; who looked before it sees that only when looking again.
        await _door.HaveOthersLookAsync();
        await _actors.LookAtLeasesAsync();
        await _door.HaveOthersLookAsync();
    }

    // ---- Schedules --------------------------------------------------------------------------------------------------

    public async ValueTask<Answer<Schedule>> AddScheduleAsync(Caller caller, string name, string when, string timeZone, MisfirePolicy misfire, ReadOnlyMemory<byte> submission)
    {
        if (string.IsNullOrWhiteSpace(name) || name.Length > _limits.NameLengthMax || !PlainText.IsText(name))
            return new Refusal(RefusalKind.Invalid, $"A schedule's name has 1 to {_limits.NameLengthMax} plain characters.");
        var now = _ports.Clock.UtcNow;
        if (!Recurrence.TryParse(when, timeZone, now, out var recurrence, out var problem))
            return new Refusal(RefusalKind.Invalid, problem);
        if (recurrence.Next(now) is not { } next)
            return new Refusal(RefusalKind.Invalid, $"'{when}' never comes again; nothing would ever be fired.");
        if (submission.Length > _limits.PayloadBytesMax)
            return new Refusal(RefusalKind.Invalid, $"The goal of a schedule has at most {_limits.PayloadBytesMax} bytes.");
        if ((await ReadSubmissionAsync(caller.Tenant, submission) is var goal && goal.Refusal is { } bad ? bad : Check(goal.Value)) is { } refusal)
            return refusal;
        var schedule = new Schedule
        {
            Tenant = caller.Tenant, Id = new ScheduleId(_ports.Ids.NewId(ShardId.OfName(caller.Tenant, name))), Name = name, When = when, TimeZone = timeZone,
            Misfire = misfire, Submission = submission, CreatedBy = caller.Principal, CreatedAt = now, NextAt = next,
        };
        var added = await FromDatabaseAsync(() => _ports.Schedules.AddAsync(schedule, CancellationToken.None));
        return added.Refusal is { } unavailable ? unavailable
            : added.Value ? schedule
            : new Refusal(RefusalKind.Conflict, $"There is a schedule {name} already; remove it first, or choose another name.");
    }

    public ValueTask<Answer<IReadOnlyList<Schedule>>> ListSchedulesAsync(TenantId tenant) =>
        FromDatabaseAsync(() => _ports.Schedules.ListAsync(tenant, CancellationToken.None));

    public async ValueTask<Answer<Schedule>> GetScheduleAsync(TenantId tenant, ScheduleId id)
    {
        var found = await FromDatabaseAsync(() => _ports.Schedules.FindAsync(tenant, id, CancellationToken.None));
        return found.Refusal ?? (found.Value is { } schedule ? schedule : (Answer<Schedule>)NoSchedule(id));
    }

    /// <summary>It fires no more until it is resumed. What runs of it goes on.</summary>
    public ValueTask<Answer<Schedule>> PauseScheduleAsync(Caller caller, ScheduleId id) =>
        ChangeScheduleAsync(caller.Tenant, id, schedule => schedule.PausedBy is null ? schedule with { PausedBy = caller.Principal } : schedule);

    /// <summary>It goes on from now: what would have been fired meanwhile is not made up for.</summary>
    public ValueTask<Answer<Schedule>> ResumeScheduleAsync(Caller caller, ScheduleId id) => ChangeScheduleAsync(caller.Tenant, id, schedule =>
        schedule.PausedBy is null ? schedule : schedule with
        {
            PausedBy = null,
            NextAt = Recurrence.TryParse(schedule.When, schedule.TimeZone, schedule.CreatedAt, out var recurrence, out _) ? recurrence.Next(_ports.Clock.UtcNow) : null,
        });

    public async ValueTask<Answer<ScheduleId>> RemoveScheduleAsync(Caller caller, ScheduleId id)
    {
        var removed = await FromDatabaseAsync(() => _ports.Schedules.RemoveAsync(caller.Tenant, id, CancellationToken.None));
        return removed.Refusal is { } unavailable ? unavailable : removed.Value ? id : NoSchedule(id);
    }

    /// <summary>Submits its goal now, beside whatever it does at its times.</summary>
    public async ValueTask<Answer<GoalRow>> RunScheduleAsync(Caller caller, ScheduleId id, string? idempotencyKey)
    {
        var schedule = await GetScheduleAsync(caller.Tenant, id);
        if (schedule.Refusal is { } refusal)
            return refusal;
        var request = await ReadSubmissionAsync(caller.Tenant, schedule.Value.Submission);
        return request.Refusal is { } bad ? bad : await SubmitAsync(caller, request.Value with { IdempotencyKey = idempotencyKey });
    }

    private async ValueTask<Answer<GoalRow>> FireAsync(Schedule schedule, string? key)
    {
        var request = await ReadSubmissionAsync(schedule.Tenant, schedule.Submission);
        return request.Refusal is { } bad ? bad : await SubmitAsync(new Caller(schedule.Tenant, schedule.CreatedBy), request.Value with { IdempotencyKey = key });
    }

    private ValueTask<Answer<GoalRequest>> ReadSubmissionAsync(TenantId tenant, ReadOnlyMemory<byte> submission) =>
        _ports.ReadSubmission(submission, agent => Agents.ClassOfAsync(tenant, agent));

    private async ValueTask<Answer<Schedule>> ChangeScheduleAsync(TenantId tenant, ScheduleId id, Func<Schedule, Schedule> change)
    {
        for (var i = 0; i < ScheduleChangesMax; i++)
        {
            var before = await GetScheduleAsync(tenant, id);
            if (before.Refusal is not null || change(before.Value) is var after && after == before.Value)
                return before;
            var written = await FromDatabaseAsync(() => _ports.Schedules.UpdateAsync(after, CancellationToken.None));
            if (written.Refusal is { } unavailable)
                return unavailable;
            if (written.Value)
                return after with { Version = after.Version + 1 };
        }
        return new Refusal(RefusalKind.Unavailable, "The schedule is being changed by others; try again in a moment.", TimeSpan.FromMilliseconds(200));
    }

    private static Refusal NoSchedule(ScheduleId id) => new(RefusalKind.NotFound, $"There is no schedule {id} here.");

    // ---- Why --------------------------------------------------------------------------------------------------------

    /// <summary>For the id of a goal, a task, a schedule or a worker: one true sentence about where it stands, with evidence.</summary>
    public async ValueTask<Answer<Explanation>> WhyAsync(TenantId tenant, Guid id)
    {
        var goal = await GetPlanAsync(tenant, new GoalId(id));
        if (goal.IsOk)
            return await _explainer.ExplainAsync(goal.Value);
        // Goals, tasks and schedules carry their shard, so what is said about it is true of all three.
        if (goal.Refusal!.Kind == RefusalKind.Unavailable)
            return _explainer.ExplainShard(id, goal.Refusal, _map);
        if (goal.Refusal.Kind != RefusalKind.NotFound)
            return goal.Refusal;
        var task = await GetTaskAsync(tenant, new TaskId(id));
        if (task.IsOk)
        {
            var around = await GetPlanAsync(tenant, task.Value.Goal);
            return around.IsOk ? await _explainer.ExplainAsync(around.Value, task.Value) : around.Refusal!;
        }
        if (task.Refusal!.Kind != RefusalKind.NotFound)
            return task.Refusal;
        var schedule = await GetScheduleAsync(tenant, new ScheduleId(id));
        if (schedule.IsOk)
            return _explainer.Explain(schedule.Value);
        return await _explainer.ExplainWorkerAsync(tenant, new WorkerId(id)) is { } worker ? worker
            : new Refusal(RefusalKind.NotFound, $"There is no goal, task, schedule or worker {id} here.");
    }

    /// <param name="executor">The label that workers offer for it.</param>
    public ValueTask<Answer<Explanation>> WhyAgentAsync(TenantId tenant, string agent, string executor) => _explainer.ExplainAgentAsync(tenant, agent, executor);
}
