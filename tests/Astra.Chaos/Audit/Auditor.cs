using Astra.Chaos.Load;

namespace Astra.Chaos.Audit;

/// <summary>
/// Ledger = log = rows = effects. After each episode it looks at what is new; at the end at everything once more, with the
/// ledger read back from its file.
/// </summary>
internal sealed class Auditor(DatabaseView database, LedgerBook book, EffectReceiver receiver, Findings findings, bool watchesWriters)
{
    private readonly LogTrail _log = new(findings);
    private readonly WriterTrail _writers = new(findings);
    private readonly HashSet<string> _settled = new(StringComparer.Ordinal);

    public LogTrail Log => _log;

    public WriterTrail Writers => _writers;

    public int TaskCount { get; private set; }

    /// <summary>Goals that were acknowledged since the last audit.</summary>
    public Guid[] OpenGoals() => [.. Open().Select(page => page.Goal).OfType<Guid>()];

    public async Task AuditAsync(CancellationToken cancellationToken)
    {
        await ReadLogAsync(cancellationToken);
        var pages = Open();
        await CheckAsync(pages, cancellationToken);
        _settled.UnionWith(pages.Select(page => page.Key));
    }

    /// <param name="ledger">The file, which is all that a client that crashed would still have.</param>
    /// <returns>Accepted, and what became of it.</returns>
    public async Task<Balance> ConcludeAsync(string ledger, CancellationToken cancellationToken)
    {
        await ReadLogAsync(cancellationToken);
        var read = LedgerBook.Read(ledger);
        if (read.Pages.Count != book.Pages.Count)
            findings.Add(Loss.Unequal, $"The ledger on disk has {read.Pages.Count} pages, and the client has written {book.Pages.Count}.");
        TaskCount = 0;
        await CheckAsync([.. read.Pages], cancellationToken);

        var acknowledged = read.Pages.Count(page => page.Goal is not null);
        var present = await database.CountGoalsAsync(cancellationToken);
        var unanswered = read.Pages.Count(page => !page.IsAnswered);
        if (present < acknowledged || present > acknowledged + unanswered)
            findings.Add(present < acknowledged ? Loss.Lost : Loss.Doubled, $"{acknowledged} goals were acknowledged, and the database has {present}.");
        foreach (var (key, count) in receiver.All.Where(effect => effect.Value > 1))
            findings.Add(Loss.Doubled, $"The effect {key} came {count} times.");
        var tasks = await database.CountTasksAsync(cancellationToken);
        return new Balance(acknowledged, TaskCount, tasks.ToDictionary(one => one.Key.ToString().ToLowerInvariant(), one => one.Value));
    }

    private List<LedgerPage> Open() => [.. book.Pages.Where(page => page.IsAnswered && !_settled.Contains(page.Key))];

    private async Task ReadLogAsync(CancellationToken cancellationToken)
    {
        foreach (var entry in await database.ReadLogAsync(_log.Heads, cancellationToken))
            _log.Add(entry);
        if (!watchesWriters)
            return;
        foreach (var append in await database.TakeAppendsAsync(cancellationToken))
            _writers.Add(append);
    }

    private async Task CheckAsync(List<LedgerPage> pages, CancellationToken cancellationToken)
    {
        const int AtOnce = 5_000;
        var check = new GoalCheck(_log, receiver.CountOf, findings);
        foreach (var some in pages.Chunk(AtOnce))
        {
            var ids = some.Select(page => page.Goal).OfType<Guid>().ToArray();
            var goals = (await database.ReadGoalsAsync(ids, cancellationToken)).ToDictionary(goal => goal.Id);
            var tasks = (await database.ReadTasksAsync(ids, cancellationToken)).ToLookup(task => task.Goal);
            foreach (var page in some)
            {
                var own = page.Goal is { } id ? tasks[id].ToList() : [];
                TaskCount += own.Count;
                check.Check(page, page.Goal is { } goal ? goals.GetValueOrDefault(goal) : null, own);
            }
        }
    }
}

/// <param name="Accepted">Goals that were acknowledged.</param>
/// <param name="Tasks">Of these goals, edits included.</param>
/// <param name="ByState">All tasks of the database.</param>
internal sealed record Balance(int Accepted, int Tasks, IReadOnlyDictionary<string, long> ByState);
