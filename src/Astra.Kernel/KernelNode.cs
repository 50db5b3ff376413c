using Astra.Kernel.Actors;
using Astra.Kernel.Agents;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel;

/// <summary>The kernel's front door on one node: everything outside the kernel talks to goals, tasks and workers here.</summary>
public sealed partial class KernelNode : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan CatchUpTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    private readonly KernelPorts _ports;
    private readonly KernelLimits _limits;
    private readonly NodeActors _actors;
    private readonly NodeParts _parts;
    private readonly ShardMap _map;
    private readonly ShardDoor _door;
    private readonly GoalPlacement _placement;
    private readonly Explainer _explainer;
    private IDisposable? _serving;
    private int _isStopping;

    public KernelNode(KernelPorts ports, KernelLimits limits, NodeRegistration self)
    {
        (_ports, _limits) = (ports, limits);
        _actors = new NodeActors(ports, limits, self, FireAsync);
        (_parts, _map, _door) = (_actors.Parts, _actors.Map, _actors.Door);
        _placement = new GoalPlacement(ports.Clock, ports.Randomness, _map);
        _explainer = new Explainer(ports.Clock, _parts.Scheduler, _door);
        Agents = new AgentDoor(_parts, _map, _door, ports.Agents);
    }

    public NodeRegistration Self => _parts.Self;

    /// <summary>Messages to agents.</summary>
    public AgentDoor Agents { get; }

    /// <summary>Registers the node, takes its share of the shards and loads them.</summary>
    /// <exception cref="JournalUnavailableException">The database does not answer.</exception>
    public async ValueTask StartAsync()
    {
        // Before anybody can learn that this node owns a shard.
        _serving ??= _ports.Bus.Serve(Self, question => MessageCodec.IsMessageQuestion(question.Span) ? _actors.Messages.AnswerAsync(question) : _door.AnswerAsync(question));
        // Before anything is handed out that a limit holds back.
        if ((await _actors.Controls.AskAsync<ControlsRead>(ReadControls.Instance, StartTimeout)).Failed is { } why)
            throw new JournalUnavailableException($"The limits could not be read: {why.Message}", why);
        if (await _parts.Region.AskAsync<object>(new BeginRegion(), StartTimeout) is RegionFailed failed)
            throw new JournalUnavailableException($"The shards could not be loaded: {failed.Why.Message}", failed.Why);
    }

    /// <summary>Takes nothing more, lets the rows catch up with the log, gives the shards back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isStopping, 1) == 1)
            return;
        _parts.Ownership.End();
        try
        {
            await _parts.Projector.AskAsync<CaughtUp>(CatchUp.Instance, CatchUpTimeout);
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException)
        {
            _actors.Notices.Publish(new KernelNotice.ProjectionDelayed("The rows did not catch up before the stop; the next start does it from the log."));
        }
        await _actors.System.StopAsync(StopTimeout);
        _serving?.Dispose();
        _parts.Events.Close();
        _parts.Metrics.Dispose();
        try
        {
            await _ports.Leases.LeaveAsync(_parts.Self, CancellationToken.None);
        }
        catch (Exception e)
        {
            _actors.Notices.Publish(new KernelNotice.RenewalFailed($"The shards were not given back; they are free when the lease ends. {e.Message}"));
        }
    }

    // ---- Goals ----------------------------------------------------------------------------------------------------

    public async ValueTask<Answer<GoalRow>> SubmitAsync(Caller caller, GoalRequest request)
    {
        var answer = await SubmitOrRefuseAsync(caller, request);
        if (answer.Refusal is { } refusal)
            _parts.Metrics.Refused(refusal);
        return answer;
    }

    private async ValueTask<Answer<GoalRow>> SubmitOrRefuseAsync(Caller caller, GoalRequest request)
    {
        if (Check(request) is { } refusal)
            return refusal;
        var digest = RequestDigest.Of(request);
        var lookedAt = _ports.Clock.Elapsed;
        if (request.IdempotencyKey is not { } key)
            return await SubmitRelatedAsync(_placement.Choose(), caller, request, digest, lookedAt);

        // The key decides the shard, so that a repeated submission meets its first one. The rows know those that have
        // been evicted from memory.
        var known = await FromDatabaseAsync(() => _ports.Projection.FindByIdempotencyKeyAsync(caller.Tenant, key, CancellationToken.None));
        if (known.Refusal is { } unavailable)
            return unavailable;
        if (known.Value is { State: not GoalState.Active } before)
            // As it is now: it may have come back to memory since, and the rows are behind that.
            return before.RequestDigest == digest
                ? await GetGoalAsync(caller.Tenant, before.Id)
                : new Refusal(RefusalKind.Conflict, $"The Idempotency-Key {key} was used before, for another goal ({before.Id}). Use a new key.");
        return await SubmitRelatedAsync(ShardId.OfName(caller.Tenant, key), caller, request, digest, lookedAt);
    }

    public ValueTask<Answer<GoalRow>> CancelGoalAsync(Caller caller, GoalId goal, string reason) =>
        OnGoalAsync<GoalRow>(caller.Tenant, goal, new ShardRequest.CancelGoal(caller, goal, Clean(reason)));

    /// <summary>All edits in one commit, or none. A null revision edits whatever is there.</summary>
    public ValueTask<Answer<GoalSnapshot>> EditPlanAsync(Caller caller, GoalId goal, long? ifRevision, IReadOnlyList<GraphEdit> edits, string? reason) =>
        OnGoalAsync<GoalSnapshot>(caller.Tenant, goal, new ShardRequest.Edit(caller, goal, ifRevision, edits, reason is null ? null : Clean(reason)));

    /// <summary>The same, without the plan that it makes: for plans that are much larger than their edits.</summary>
    public ValueTask<Answer<GoalRow>> AmendPlanAsync(Caller caller, GoalId goal, long? ifRevision, IReadOnlyList<GraphEdit> edits, string? reason) =>
        OnGoalAsync<GoalRow>(caller.Tenant, goal, new ShardRequest.Edit(caller, goal, ifRevision, edits, reason is null ? null : Clean(reason), IsBrief: true));

    /// <summary>Whether an edit would be taken, and which revision it would make. Changes nothing.</summary>
    public ValueTask<Answer<PlanRevision>> ValidatePlanAsync(Caller caller, GoalId goal, long? ifRevision, IReadOnlyList<GraphEdit> edits) =>
        OnGoalAsync<PlanRevision>(caller.Tenant, goal, new ShardRequest.ValidateEdit(caller, goal, ifRevision, edits));

    public async ValueTask<Answer<GoalRow>> GetGoalAsync(TenantId tenant, GoalId goal)
    {
        var live = await _door.AskAsync<GoalRow>(goal.Shard, new ShardRequest.ReadGoal(tenant, goal));
        if (live.Refusal is not { Kind: RefusalKind.NotFound } notFound)
            return live;
        var finished = await LoadGoalAsync(tenant, goal);
        return finished.Refusal ?? (finished.Value is { } found ? found.Goal : (Answer<GoalRow>)notFound);
    }

    public async ValueTask<Answer<GoalSnapshot>> GetPlanAsync(TenantId tenant, GoalId goal)
    {
        var live = await _door.AskAsync<GoalSnapshot>(goal.Shard, new ShardRequest.ReadPlan(tenant, goal));
        if (live.Refusal is not { Kind: RefusalKind.NotFound } notFound)
            return live;
        var finished = await LoadGoalAsync(tenant, goal);
        return finished.Refusal ?? (finished.Value is { } found ? found : (Answer<GoalSnapshot>)notFound);
    }

    /// <summary>The plan as it was just before the edit that followed a revision, from the log.</summary>
    public ValueTask<Answer<GoalSnapshot>> GetPlanAtAsync(TenantId tenant, GoalId goal, long revision) =>
        PlanHistory.AtAsync(revision, (after, countMax) => ReadEventsAsync(tenant, goal, after, countMax));

    public async ValueTask<Answer<TaskRow>> GetTaskAsync(TenantId tenant, TaskId task)
    {
        var reading = await ReadTaskAsync(tenant, task);
        return reading.Refusal is { } refusal ? refusal : reading.Value.Task;
    }

    /// <summary>The task with the names of what it waits for, without reading the rest of its goal.</summary>
    public async ValueTask<Answer<TaskReading>> ReadTaskAsync(TenantId tenant, TaskId task)
    {
        var live = await _door.AskAsync<TaskReading>(task.Shard, new ShardRequest.ReadTask(tenant, task));
        if (live.Refusal is not { Kind: RefusalKind.NotFound } notFound)
            return live;
        var finished = await LoadGoalOfAsync(tenant, task);
        if (finished.Refusal is { } refusal)
            return refusal;
        if (finished.Value?.Tasks.FirstOrDefault(row => row.Id == task) is not { } found)
            return notFound;
        var names = finished.Value.Tasks.ToDictionary(row => row.Id, row => row.Spec.Name);
        return new TaskReading(found, [.. found.After.Select(after => names[after.On])]);
    }

    public async ValueTask<Answer<IReadOnlyList<GoalRow>>> ListGoalsAsync(TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListGoalsAsync(tenant, state, agent, after, countMax, CancellationToken.None));

    // ---- Events ---------------------------------------------------------------------------------------------------

    /// <summary>The committed history of a goal after a sequence number.</summary>
    public async ValueTask<Answer<IReadOnlyList<JournalEntry>>> ReadEventsAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax)
    {
        var known = await GetGoalAsync(tenant, goal);
        return known.Refusal is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Journal.ReadGoalAsync(tenant, goal, afterSeq, countMax, CancellationToken.None));
    }

    /// <summary>Entries of a goal as they are committed here from now on. Subscribe first, then read the history, and drop
    /// what is in both. A subscriber that is slower than its buffer is closed and resumes by sequence number.</summary>
    public EventSubscription Subscribe(TenantId tenant, GoalId goal) => _parts.Events.Subscribe(tenant, goal);

    // ---- Workers --------------------------------------------------------------------------------------------------

    /// <summary>From here on the worker is given tasks, up to its slots. Disposing the link re-issues what it held.</summary>
    public WorkerLink Connect(WorkerOffer offer, IWorker worker)
    {
        var id = new WorkerId(_ports.Ids.NewId(default));
        var handle = new WorkerHandle(id, offer, worker, new WorkerPulse());
        _parts.Roster.Add(handle);
        _parts.Scheduler.TrySend(new WorkerJoined(handle));
        if (offer.TakesMessages && worker is IMessageWorker takesMessages)
            _parts.Messages.Join(id, offer, takesMessages);
        return new WorkerLink(id, handle.Pulse, _door, _parts);
    }

    // ---- Inside ---------------------------------------------------------------------------------------------------

    private ValueTask<Answer<GoalRow>> SubmitAsync(ShardId shard, Caller caller, GoalRequest request, ulong digest, TimeSpan lookedAt, Refusal? unrelated) =>
        _door.AskAsync<GoalRow>(shard, new ShardRequest.Submit(caller, new GoalId(_ports.Ids.NewId(shard)), request, digest, lookedAt, unrelated));

    /// <summary>A finished goal answers as such: the shard says it is not in memory, the rows say how it ended.</summary>
    private async ValueTask<Answer<T>> OnGoalAsync<T>(TenantId tenant, GoalId goal, ShardRequest request)
    {
        var live = await _door.AskAsync<T>(goal.Shard, request);
        if (live.Refusal is not { Kind: RefusalKind.NotFound })
            return live;
        var readAt = _ports.Clock.Elapsed;
        return await ReviveAsync(live, await LoadGoalAsync(tenant, goal), readAt, request);
    }

    private async ValueTask<Answer<TaskRow>> OnTaskAsync(TenantId tenant, TaskId task, ShardRequest request)
    {
        var live = await _door.AskAsync<TaskRow>(task.Shard, request);
        if (live.Refusal is not { Kind: RefusalKind.NotFound })
            return live;
        var readAt = _ports.Clock.Elapsed;
        return await ReviveAsync(live, await LoadGoalOfAsync(tenant, task), readAt, request);
    }

    private async ValueTask<Answer<T>> ReviveAsync<T>(Answer<T> notFound, Answer<GoalSnapshot?> finished, TimeSpan readAt, ShardRequest request)
    {
        if (finished.Refusal is { } refusal)
            return refusal;
        return finished.Value is { } snapshot
            ? await _door.AskAsync<T>(snapshot.Goal.Id.Shard, new ShardRequest.Revive(snapshot, readAt, request))
            : notFound;
    }

    private ValueTask<Answer<GoalSnapshot?>> LoadGoalAsync(TenantId tenant, GoalId goal) =>
        FromDatabaseAsync(() => _ports.Projection.LoadGoalAsync(tenant, goal, CancellationToken.None));

    private async ValueTask<Answer<GoalSnapshot?>> LoadGoalOfAsync(TenantId tenant, TaskId task)
    {
        var goal = await FromDatabaseAsync(() => _ports.Projection.FindGoalOfTaskAsync(tenant, task, CancellationToken.None));
        return goal.Refusal is { } refusal ? refusal
            : goal.Value is { } id ? await LoadGoalAsync(tenant, id)
            : Answer.Of<GoalSnapshot?>(null);
    }

    /// <summary>A database that does not answer is a refusal like any other: whoever asked may ask again.</summary>
    private static async ValueTask<Answer<T>> FromDatabaseAsync<T>(Func<ValueTask<T>> read)
    {
        try
        {
            return Answer.Of(await read());
        }
        catch (Exception e)
        {
            return new Refusal(RefusalKind.Unavailable, $"The database did not answer ({e.Message}). Try again in a moment.", TimeSpan.FromSeconds(1));
        }
    }

    private string Clean(string reason) => PlainText.Clean(reason, _limits.ReasonLengthMax);

    /// <summary>A list is read from the rows, so the rows first show what was committed before somebody asked.</summary>
    private async ValueTask<Refusal?> CatchUpAsync()
    {
        try
        {
            await _parts.Projector.AskAsync<CaughtUp>(CatchUp.Instance, CatchUpTimeout);
            return null;
        }
        catch (Exception e) when (e is AskTimeoutException or ActorStoppedException)
        {
            return new Refusal(RefusalKind.Unavailable, "The tables do not catch up with the log; the database may be slow or full. Try again in a moment.", TimeSpan.FromSeconds(1));
        }
    }
}
