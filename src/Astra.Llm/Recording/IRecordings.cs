using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Money;

namespace Astra.Llm.Recording;

/// <summary>What was asked for in a recording.</summary>
public enum RecordingKind : byte
{
    /// <summary>A model.</summary>
    Model = 1,

    /// <summary>A tool that an agent's step called.</summary>
    Tool = 2,
}

/// <summary>One result that a task was given, under everything that it had asked for.</summary>
/// <param name="At">When it was answered: of several answers to one request, which was first.</param>
/// <param name="Request">Of the whole request in canonical form, without whose it is.</param>
/// <param name="Name">Who answered: provider/model, or the tool.</param>
/// <param name="Answer">As it was given, whole.</param>
public sealed record Recording(
    TenantId Tenant, GoalId Goal, TaskId Task, RecordingKind Kind, Guid Id, DateTimeOffset At, Digest Request, string Name, ReadOnlyMemory<byte> Answer)
{
    /// <summary>Which attempt at the task had asked; 0 where it did not say.</summary>
    public int Attempt { get; init; }

    /// <summary>What it came to, where whoever asked wanted to know.</summary>
    public Nanodollars Cost { get; init; }
}

/// <summary>Where recordings are kept.</summary>
public interface IRecordingStore
{
    /// <summary>Writes what is not there yet.</summary>
    ValueTask WriteAsync(IReadOnlyList<Recording> recordings, CancellationToken cancellationToken);

    /// <summary>All of a goal, in the order in which they were made.</summary>
    ValueTask<IReadOnlyList<Recording>> ReadAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken);
}
