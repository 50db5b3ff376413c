using Astra.Kernel.Actors;
using Astra.Kernel.Agents;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Metrics;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Timers;
using Astra.Kernel.Workers;

namespace Astra.Kernel;

/// <summary>The kernel's front door on one node: everything outside the kernel talks to goals, tasks and workers here.</summary>
public sealed partial class KernelNode : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan CatchUpTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    // The actors every shard talks to. What they are sent is bounded by what exists: shards, tasks, slots.
    private const int NodeMailboxCapacityMax = 1 << 20;

    private readonly KernelPorts _ports;
    private readonly KernelLimits _limits;
    private readonly KernelMetrics _metrics = new();
    private readonly KernelNotices _notices;
    private readonly CommitFeed _commits = new();
    private readonly ProjectionProgress _projected;
    private readonly ShardMap _map = new();
    private readonly ActorSystem _actors;
    private readonly NodeParts _parts;
    private readonly ShardDoor _door;
    private readonly MessageService _messages;
    private readonly Explainer _explainer;
    private readonly ActorRef _controls;
    private IDisposable? _serving;
    private int _isStopping;
    private int _isUnfit;

    public KernelNode(KernelPorts ports, KernelLimits limits, NodeRegistration self)
    {
        (_ports, _limits) = (ports, limits);
        (_notices, _projected) = (new KernelNotices(_metrics), new ProjectionProgress(ports.Clock));
        _actors = new ActorSystem(ports.Dispatcher, ports.Clock, ports.Randomness, NodeActors.Options(_metrics, GiveUp));
        _actors.Operator.Commanded = (path, command, by) => _notices.Publish(new KernelNotice.ActorCommanded(path, command, by));
        var writer = new JournalWriter(ports.Journal, limits, ports.Clock, _metrics, _commits);
        _parts = new NodeParts
        {
            Clock = ports.Clock, Randomness = ports.Randomness, Ids = ports.Ids, Limits = limits, Self = self, Writer = writer,
            Events = new EventHub(), Ownership = new NodeOwnership(ports.Clock), Load = new NodeLoad(ports.Clock),
            Messages = new MessageDesk(ports.Dispatcher, limits),
            Metrics = _metrics, Roster = new WorkerRoster(),
        };
        writer.Attach(Spawn("journal-writer", () => writer));
        _parts.Projector = Spawn("projector", () => new Projector(ports.Projection, limits, _notices, _projected));
        var line = new BusLine(ports.Bus, ports.Dispatcher);
        _door = new ShardDoor(_map, self.Node, line, ports.Dispatcher);
        _parts.Scheduler = Spawn("scheduler", () => new Scheduler(ports.Clock, limits, _door, _parts.Load, _parts.Roster, _metrics, () => _map.WorkingNodes));
        _parts.Region = Spawn("shards", () => new ShardRegion(_parts, _map, ports.Leases, ports.Journal, ports.Projection, _notices), ShardRegion.ShardSupervision);
        var saver = new AgentSaver(ports.Agents, limits);
        saver.Attach(Spawn("agent-states", () => saver));
        _messages = new MessageService(_parts.Messages, ports.Dispatcher, ports.Clock);
        var route = new MessageRoute(_parts, _map, new WorkerSearch(_map, self.Node, line, ports), line, ports.Dispatcher);
        _parts.Agents = Spawn("agents", () => new AgentRegion(new AgentParts(_parts, _map, ports.Agents, saver, route)), AgentRegion.AgentSupervision);
        Agents = new AgentDoor(_parts, _map, _door, ports.Agents);
        _explainer = new Explainer(ports.Clock, _parts.Scheduler, _door);
        _controls = Spawn("controls", () => new ControlsKeeper(ports.Controls, _parts.Scheduler, limits, _notices));
        _door.ControlsChanged = () => _controls.TrySend(ReadControls.Instance);
        var schedules = Spawn("schedules", () => new ScheduleRunner(ports.Schedules, _map, _parts.Ownership, ports.Clock, _notices, FireAsync));
        Spawn("calendar", () => new CalendarWatch(ports.Clock, _map, [_parts.Scheduler, schedules]));
    }

    public NodeRegistration Self => _parts.Self;

    /// <summary>Messages to agents.</summary>
    public AgentDoor Agents { get; }

    // Nothing is promised any more: what is asked from here on is refused, as on a node that stops.
    private void GiveUp(NodeFailed failed)
    {
        if (Interlocked.Exchange(ref _isUnfit, 1) == 1)
            return;
        _parts.Ownership.End();
        _notices.Publish(new KernelNotice.NodeFailed(failed.Actor.ToString() ?? "", failed.Why.Message));
    }

    /// <summary>Registers the node, takes its share of the shards and loads them.</summary>
    /// <exception cref="JournalUnavailableException">The database does not answer.</exception>
    public async ValueTask StartAsync()
    {
        // Before anybody can learn that this node owns a shard.
        _serving ??= _ports.Bus.Serve(Self, question => MessageCodec.IsMessageQuestion(question.Span) ? _messages.AnswerAsync(question) : _door.AnswerAsync(question));
        // Before anything is handed out that a limit holds back.
        if ((await _controls.AskAsync<ControlsRead>(ReadControls.Instance, StartTimeout)).Failed is { } why)
            throw new JournalUnavailableException($"The limits could not be read: {why.Message}", why);
        switch (await _parts.Region.AskAsync<object>(new BeginRegion(), StartTimeout))
        {
            case RegionFailed failed:
                throw new JournalUnavailableException($"The shards could not be loaded: {failed.Why.Message}", failed.Why);
        }
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
            _notices.Publish(new KernelNotice.ProjectionDelayed("The rows did not catch up before the stop; the next start does it from the log."));
        }
        await _actors.StopAsync(StopTimeout);
        _serving?.Dispose();
        _parts.Events.Close();
        _metrics.Dispose();
        try
        {
            await _ports.Leases.LeaveAsync(_parts.Self, CancellationToken.None);
        }
        catch (Exception e)
        {
            _notices.Publish(new KernelNotice.RenewalFailed($"The shards were not given back; they are free when the lease ends. {e.Message}"));
        }
    }

    // ---- Goals ----------------------------------------------------------------------------------------------------

    public async ValueTask<Answer<GoalRow>> SubmitAsync(Caller caller, GoalRequest request)
    {
        var answer = await SubmitOrRefuseAsync(caller, request);
        if (answer.Refusal is { } refusal)
            _metrics.Refused(refusal);
        return answer;
    }

    private async ValueTask<Answer<GoalRow>> SubmitOrRefuseAsync(Caller caller, GoalRequest request)
    {
        if (Check(request) is { } refusal)
            return refusal;
        var digest = RequestDigest.Of(request);
        var lookedAt = _ports.Clock.Elapsed;
        if (request.IdempotencyKey is not { } key)
        {
            // A node without shards, such as one that has drained, says who has one.
            var any = _ports.Randomness.NextInt32(ShardId.Count);
            return await SubmitAsync(_map.AnyLocal(any) ?? new ShardId(any), caller, request, digest, lookedAt);
        }

        // The key decides the shard, so that a repeated submission meets its first one. The rows know those that have
        // been evicted from memory.
        var known = await FromDatabaseAsync(() => _ports.Projection.FindByIdempotencyKeyAsync(caller.Tenant, key, CancellationToken.None));
        if (known.Refusal is { } unavailable)
            return unavailable;
        if (known.Value is { State: not GoalState.Active } before)
            return before.RequestDigest == digest
                ? before
                : new Refusal(RefusalKind.Conflict, $"The Idempotency-Key {key} was used before, for another goal ({before.Id}). Use a new key.");
        return await SubmitAsync(ShardId.OfName(caller.Tenant, key), caller, request, digest, lookedAt);
    }

    public ValueTask<Answer<GoalRow>> CancelGoalAsync(Caller caller, GoalId goal, string reason) =>
        OnGoalAsync<GoalRow>(caller.Tenant, goal, new ShardRequest.CancelGoal(caller, goal, Clean(reason)));

    /// <summary>All edits in one commit, or none. A null revision edits whatever is there.</summary>
    public ValueTask<Answer<GoalSnapshot>> EditPlanAsync(Caller caller, GoalId goal, long? ifRevision, IReadOnlyList<GraphEdit> edits, string? reason) =>
        OnGoalAsync<GoalSnapshot>(caller.Tenant, goal, new ShardRequest.Edit(caller, goal, ifRevision, edits, reason is null ? null : Clean(reason)));

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

    private ActorRef Spawn(string name, Func<Actor> create, SupervisionPolicy? children = null) => _actors.Spawn(new ActorOptions
    {
        Name = name, Create = create, MailboxCapacityMax = NodeMailboxCapacityMax, Children = children ?? SupervisionPolicy.Default,
    });

    private ValueTask<Answer<GoalRow>> SubmitAsync(ShardId shard, Caller caller, GoalRequest request, ulong digest, TimeSpan lookedAt) =>
        _door.AskAsync<GoalRow>(shard, new ShardRequest.Submit(caller, new GoalId(_ports.Ids.NewId(shard)), request, digest, lookedAt));

    private Refusal? Check(GoalRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Title) || request.Title.Length > _limits.NameLengthMax)
            return new Refusal(RefusalKind.Invalid, $"A goal's title has 1 to {_limits.NameLengthMax} characters.");
        if (request.Agent is { } agent && (string.IsNullOrWhiteSpace(agent) || agent.Length > _limits.NameLengthMax))
            return new Refusal(RefusalKind.Invalid, $"An agent's name has 1 to {_limits.NameLengthMax} characters.");
        if (!PlainText.IsText(request.Title) || !PlainText.IsText(request.Agent) || !PlainText.IsText(request.IdempotencyKey))
            return new Refusal(RefusalKind.Invalid, $"The title, agent or Idempotency-Key holds {PlainText.WhatIsNot}.");
        if (request.Input.Length > _limits.PayloadBytesMax)
            return new Refusal(RefusalKind.Invalid, $"The goal's input has {request.Input.Length} bytes; {_limits.PayloadBytesMax} is the limit.");
        if (request.Priority is < -100 or > 100)
            return new Refusal(RefusalKind.Invalid, $"A priority is between -100 and 100, and {request.Priority} is not.");
        if (request.Extras.RetriesMax is < 0 or > 1_000_000)
            return new Refusal(RefusalKind.Invalid, $"The retries of all of a goal's tasks together are 0 to 1000000, and {request.Extras.RetriesMax} is not.");
        if (request.IdempotencyKey is { Length: 0 or > 200 })
            return new Refusal(RefusalKind.Invalid, "An Idempotency-Key has 1 to 200 characters.");
        return null;
    }

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

/// <summary>Everything the kernel is handed; see ARCHITECTURE.md for who implements what.</summary>
public sealed record KernelPorts(
    IClock Clock, IRandomness Randomness, IIdSource Ids, IDispatcher Dispatcher, IJournal Journal, IProjection Projection, IShardLeases Leases, IBus Bus,
    IAgentStore Agents)
{
    public required IControls Controls { get; init; }
    public required ISchedules Schedules { get; init; }

    /// <summary>What a schedule submits is kept as it was sent; the kernel does not know that form.</summary>
    public required SubmissionReader ReadSubmission { get; init; }

/// <param name="classOf">Whose code runs an agent, by its name.</param>
public delegate ValueTask<Answer<GoalRequest>> SubmissionReader(ReadOnlyMemory<byte> submission, Func<string, ValueTask<Answer<string>>> classOf);
}

public sealed record GoalRequest
{
    public string? Agent { get; init; }
    public required string Title { get; init; }
    public ReadOnlyMemory<byte> Input { get; init; }
    public int Priority { get; init; }
    public DeadTaskPolicy DeadTaskPolicy { get; init; } = DeadTaskPolicy.Doom;
    public string? IdempotencyKey { get; init; }
    public GoalExtras Extras { get; init; } = GoalExtras.None;

    /// <summary>The first tasks, added in the same commit as the goal.</summary>
    public required IReadOnlyList<GraphEdit> Plan { get; init; }
}
