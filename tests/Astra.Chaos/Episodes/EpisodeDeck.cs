namespace Astra.Chaos.Episodes;

/// <summary>Which fault comes next: cards of each kind, shuffled by the seed, dealt to the end, shuffled again.</summary>
internal sealed class EpisodeDeck
{
    /// <summary>How many of each are in a deck. Together with what an episode does this makes more than a hundred kills of
    /// servers, twenty of PostgreSQL and fifty pauses in 45 minutes.</summary>
    private static readonly (Episode Episode, int Count)[] Cards =
    [
        (new ServerKill(), 8), (new ServerAway(), 1), (new WorkerKill(), 1), (new PostgresKill(), 3), (new PostgresStop(), 1),
        (new ServerPause(), 2), (new WorkerPause(), 3), (new ConnectionsReset(), 1), (new ConnectionsDelayed(), 1),
        (new DiskFull(), 1), (new FilesExhausted(), 1), (new PortsExhausted(), 1), (new ClockJump(), 1), (new WorkerMemory(), 1),
    ];

    private readonly Random _dice;
    private readonly (Episode Episode, int Count)[] _cards;
    private readonly Queue<Episode> _dealt = new();

    /// <param name="once">Each kind once, in the order of the list.</param>
    public EpisodeDeck(IReadOnlyList<string> only, World world, Random dice, bool once)
    {
        _dice = dice;
        _cards = [.. Cards.Where(card => (only.Count == 0 || only.Contains(card.Episode.Kind)) && card.Episode.ProblemIn(world) is null)];
        Problems = [.. Cards.Where(card => only.Count == 0 || only.Contains(card.Episode.Kind)).Select(card => (card.Episode.Kind, Problem: card.Episode.ProblemIn(world))).Where(one => one.Problem is not null).Select(one => $"{one.Kind}: {one.Problem}")];
        if (once)
            foreach (var (episode, _) in _cards)
                _dealt.Enqueue(episode);
        IsOnce = once;
    }

    public static IReadOnlyList<string> Kinds { get; } = [.. Cards.Select(card => card.Episode.Kind)];

    /// <summary>Faults that this machine does not allow, each with the reason.</summary>
    public IReadOnlyList<string> Problems { get; }

    public bool IsOnce { get; }

    /// <returns>Null when each kind has had its turn and that was all that was asked for, or when there is none.</returns>
    public Episode? Next()
    {
        if (_dealt.Count == 0 && !IsOnce)
            foreach (var episode in _cards.SelectMany(card => Enumerable.Repeat(card.Episode, card.Count)).OrderBy(_ => _dice.Next()).ToList())
                _dealt.Enqueue(episode);
        return _dealt.TryDequeue(out var next) ? next : null;
    }
}
