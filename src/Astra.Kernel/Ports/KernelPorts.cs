using Astra.Kernel.Controls;
using Astra.Kernel.Timers;

namespace Astra.Kernel;

/// <summary>Everything the kernel is handed; see ARCHITECTURE.md for who implements what.</summary>
public sealed record KernelPorts(
    IClock Clock, IRandomness Randomness, IIdSource Ids, IDispatcher Dispatcher, IJournal Journal, IProjection Projection, IShardLeases Leases, IBus Bus,
    IAgentStore Agents)
{
    public required IControls Controls { get; init; }
    public required ISchedules Schedules { get; init; }

    /// <summary>Which steps need people's approval, whoever plans them; none by themselves if nobody says more.</summary>
    public ApprovalPolicy VotesNeeded { get; init; } = static _ => 0;

    /// <summary>What a schedule submits is kept as it was sent; the kernel does not know that form.</summary>
    public required SubmissionReader ReadSubmission { get; init; }
}

/// <summary>How many people have to agree before a step of this executor is handed out; 0 for none. Asked when a step is planned
/// or changed, and what it says then stays with the step.</summary>
public delegate int ApprovalPolicy(string executor);

/// <summary>Reads the goal that a schedule submits.</summary>
/// <param name="classOf">Whose code runs an agent, by its name.</param>
public delegate ValueTask<Answer<GoalRequest>> SubmissionReader(ReadOnlyMemory<byte> submission, Func<string, ValueTask<Answer<string>>> classOf);
