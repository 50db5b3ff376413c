using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

/// <summary>
/// Which moves of the kernel's transition table, and which kinds of events, some worlds have been through. The cells are the
/// kernel's own table, so that a move that is added there and never simulated is missed here.
/// </summary>
public sealed class Coverage
{
    private static readonly IReadOnlyList<(TaskState From, TaskCommand Command, TaskState To)> Moves = [.. TaskTransitions.Moves];

    // Only a store that refuses a goal's rows leads to them, and a store that does is no fault of the world's.
    private static readonly IReadOnlyList<EventKind> Kinds = [.. Enum.GetValues<EventKind>().Except([EventKind.GoalReleased, EventKind.GoalDiscarded])];

    private readonly HashSet<(TaskState, TaskCommand, TaskState)> _moves = [];
    private readonly HashSet<EventKind> _kinds = [];

    public static int CellCount => Moves.Count + Kinds.Count;

    public int ReachedCount => Moves.Count(_moves.Contains) + Kinds.Count(_kinds.Contains);

    public IReadOnlyList<string> Missing =>
    [
        .. Moves.Where(move => !_moves.Contains(move)).Select(move => $"{move.From} {move.Command} {move.To}"),
        .. Kinds.Where(kind => !_kinds.Contains(kind)).Select(kind => kind.ToString()),
    ];

    public void Add(Coverage other)
    {
        _moves.UnionWith(other._moves);
        _kinds.UnionWith(other._kinds);
    }

    internal void Reach(JournalEntry entry)
    {
        _kinds.Add(entry.Kind);
        if (entry is { From: { } from, Command: { } command, To: { } to })
            _moves.Add((from, command, to));
    }
}
