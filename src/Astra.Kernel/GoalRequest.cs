using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>What a new goal is to be, as it was asked for.</summary>
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
