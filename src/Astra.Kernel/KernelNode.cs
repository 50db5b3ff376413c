using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel;

/// <summary>The kernel's front door on one node: everything outside the kernel talks to goals, tasks and workers here.</summary>
public sealed class KernelNode : IAsyncDisposable
{
    public KernelNode(KernelPorts ports, KernelLimits limits, NodeRegistration self) => throw new NotImplementedException();

    /// <summary>Registers the node, takes its share of the shards and loads them.</summary>
    public ValueTask StartAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>Stops taking work, projects what is committed, gives the shards back.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();

    public NodeSummary Summary => throw new NotImplementedException();

    public ValueTask<Answer<GoalRow>> SubmitAsync(Caller caller, GoalRequest request) => throw new NotImplementedException();
    public ValueTask<Answer<GoalRow>> CancelGoalAsync(Caller caller, GoalId goal, string reason) => throw new NotImplementedException();

    /// <summary>All edits in one commit, or none. A null revision edits whatever is there.</summary>
    public ValueTask<Answer<GoalSnapshot>> EditPlanAsync(Caller caller, GoalId goal, long? ifRevision, IReadOnlyList<GraphEdit> edits, string? reason) => throw new NotImplementedException();

    public ValueTask<Answer<GoalRow>> GetGoalAsync(TenantId tenant, GoalId goal) => throw new NotImplementedException();
    public ValueTask<Answer<GoalSnapshot>> GetPlanAsync(TenantId tenant, GoalId goal) => throw new NotImplementedException();
    public ValueTask<Answer<TaskRow>> GetTaskAsync(TenantId tenant, TaskId task) => throw new NotImplementedException();

    /// <summary>For the id of a goal or a task: one true sentence about why it is not done, with evidence.</summary>
    public ValueTask<Answer<Explanation>> WhyAsync(TenantId tenant, Guid id) => throw new NotImplementedException();

    /// <summary>Tries a dead letter again, with fresh attempts.</summary>
    public ValueTask<Answer<TaskRow>> RedriveAsync(Caller caller, TaskId task) => throw new NotImplementedException();

    /// <summary>Gives a dead letter up, with the reason.</summary>
    public ValueTask<Answer<TaskRow>> DiscardAsync(Caller caller, TaskId task, string reason) => throw new NotImplementedException();

    public ValueTask<Answer<IReadOnlyList<GoalRow>>> ListGoalsAsync(TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax) => throw new NotImplementedException();
    public ValueTask<Answer<IReadOnlyList<TaskRow>>> ListDeadTasksAsync(TenantId tenant, TaskId? after, int countMax) => throw new NotImplementedException();

    /// <summary>The committed history of a goal after a sequence number.</summary>
    public ValueTask<Answer<IReadOnlyList<JournalEntry>>> ReadEventsAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax) => throw new NotImplementedException();

    /// <summary>Entries of a goal as they are committed here from now on. Subscribe first, then read the history, and
    /// drop what is in both. A subscriber that is slower than its buffer is closed and resumes by sequence number.</summary>
    public EventSubscription Subscribe(TenantId tenant, GoalId goal) => throw new NotImplementedException();

    /// <summary>From here on the worker is given tasks, up to its slots. Disposing the link re-issues what it held.</summary>
    public WorkerLink Connect(WorkerOffer offer, IWorker worker) => throw new NotImplementedException();
}

/// <summary>What a worker says to the kernel.</summary>
public sealed class WorkerLink : IAsyncDisposable
{
    public WorkerId Id => throw new NotImplementedException();

    /// <summary>Renews the leases of these attempts, in memory. Answers those that are not this worker's any more.</summary>
    public ValueTask<IReadOnlyList<AttemptId>> HeartbeatAsync(IReadOnlyList<AttemptId> attempts) => throw new NotImplementedException();

    /// <summary>Durable when it answers. The edits take effect in the same commit; a bad edit refuses the report and the
    /// lease goes on.</summary>
    public ValueTask<Answer<TaskState>> CompleteAsync(AttemptId attempt, ReadOnlyMemory<byte> output, IReadOnlyList<GraphEdit> edits) => throw new NotImplementedException();

    public ValueTask<Answer<TaskState>> FailAsync(AttemptId attempt, Failure failure) => throw new NotImplementedException();

    /// <summary>Takes nothing more.</summary>
    public void Drain() => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

public sealed class EventSubscription : IDisposable
{
    /// <summary>Completes when the subscriber was too slow or the node stops.</summary>
    public System.Threading.Channels.ChannelReader<JournalEntry> Entries => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

/// <summary>Everything the kernel is handed; see ARCHITECTURE.md for who implements what.</summary>
public sealed record KernelPorts(
    IClock Clock, IRandomness Randomness, IIdSource Ids, IDispatcher Dispatcher, IJournal Journal, IProjection Projection, IShardLeases Leases);

public sealed record GoalRequest
{
    public string? Agent { get; init; }
    public required string Title { get; init; }
    public ReadOnlyMemory<byte> Input { get; init; }
    public int Priority { get; init; }
    public DeadTaskPolicy DeadTaskPolicy { get; init; } = DeadTaskPolicy.Doom;
    public string? IdempotencyKey { get; init; }

    /// <summary>The first tasks, added in the same commit as the goal.</summary>
    public required IReadOnlyList<GraphEdit> Plan { get; init; }
}

/// <param name="Subject">"goal" or "task".</param>
public sealed record Explanation(Guid Id, string Subject, string Sentence, IReadOnlyDictionary<string, string> Evidence);

public sealed record NodeSummary(
    NodeRegistration Self, int ShardsOwned, int GoalsActive, int TasksReady, int TasksRunning, IReadOnlyList<WorkerSummary> Workers, IReadOnlyList<NodeStanding> Nodes);

public sealed record WorkerSummary(WorkerId Id, string Name, TenantId? Tenant, IReadOnlyCollection<string> Executors, int Slots, int SlotsTaken);
