using Astra.Kernel.Tasks;

namespace Astra.Kernel.Workers;

/// <param name="Name">For people.</param>
/// <param name="Executors">The labels it takes tasks for, each in one tenant or, when that is null, in every one.</param>
/// <param name="Slots">How many tasks it runs at once.</param>
/// <param name="TakesMessages">It is an <see cref="IMessageWorker"/> too, and runs what agents of its labels do with messages.</param>
/// <param name="IsInProcess">It lives and dies with this node's process: after a crash nobody waits for its leases.</param>
public sealed record WorkerOffer(string Name, TenantId? Tenant, IReadOnlyCollection<string> Executors, int Slots, bool IsInProcess = false, bool TakesMessages = false)
{
    /// <summary>What it has beside its executors, for tasks that require it.</summary>
    public IReadOnlyCollection<string> Capabilities { get; init; } = [];
}

/// <summary>
/// Something that executes tasks: an executor in this process, or a connection to a remote worker. Both calls come from
/// the kernel's turns: they queue and return, and never block or throw.
/// </summary>
public interface IWorker
{
    void Assign(Assignment assignment);

    /// <summary>Stop working on it: cancelled, or the lease is lost. A report on it will be late.</summary>
    void Revoke(TaskId task, int attempt, string reason);
}

/// <summary>One attempt at one task. It was committed before anyone was told.</summary>
public sealed record Assignment
{
    public required TenantId Tenant { get; init; }
    public required GoalId Goal { get; init; }
    public required string? Agent { get; init; }
    public required string SubmittedBy { get; init; }
    public required TaskId Task { get; init; }
    public required int Attempt { get; init; }
    public required TaskSpec Spec { get; init; }
    public required ReadOnlyMemory<byte> GoalInput { get; init; }
    public required IReadOnlyList<EndedDependency> Dependencies { get; init; }
    public required DateTimeOffset Now { get; init; }
}

/// <summary>How something the task waited for ended.</summary>
public sealed record EndedDependency(string Name, TaskState State, ReadOnlyMemory<byte> Output, string? FailureReason);

public readonly record struct AttemptId(TaskId Task, int Attempt);
