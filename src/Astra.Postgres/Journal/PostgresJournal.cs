using System.Collections.Concurrent;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Journal;

/// <summary>
/// The log in PostgreSQL: one transaction for each append, fenced by the epochs it locks, durable when it returns.
/// </summary>
/// <remarks>
/// Who guarantees what. The database: the epoch, that an entry is a legal move, that no number repeats within a segment.
/// This class: that numbers follow each other without a gap. Under one epoch nobody else appends to a shard, so the
/// number that was committed last is known here after it was read once; asking the database again for each append would
/// cost a quarter of it.
/// </remarks>
public sealed class PostgresJournal : IJournal
{
    private readonly Database _database;
    private readonly ConcurrentDictionary<ShardId, Head> _heads = new();

    internal PostgresJournal(Database database) => _database = database;

    public async ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken)
    {
        if (appends.Count == 0)
            return [];
        try
        {
            await ReadMissingHeadsAsync(appends, cancellationToken);
            var outcomes = new AppendOutcome[appends.Count];
            var whole = Enumerable.Range(0, appends.Count).Where(i => Follows(appends[i])).ToArray();
            if (whole.Length < appends.Count)
                await MarkBrokenAsync(appends, whole, outcomes, cancellationToken);
            await AppendAsync(appends, whole, outcomes, cancellationToken);
            return outcomes;
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException or TimeoutException)
        {
            // Nobody knows what got in, so nobody knows the last number either.
            foreach (var append in appends)
                _heads.TryRemove(append.Shard, out _);
            if (exception is OperationCanceledException)
                throw;
            throw new JournalUnavailableException($"The database did not say whether the commit got in ({exception.Message}).", exception);
        }
    }

    public async ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken)
    {
        await using var command = _database.Journal.CreateCommand(JournalSql.ReadTails);
        command.Parameters
            .Column(after.Select(position => (short)position.Shard.Value).ToArray(), NpgsqlDbType.Smallint)
            .Column(after.Select(position => position.Seq).ToArray(), NpgsqlDbType.Bigint);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var entries = (await ReadEntriesAsync(reader, cancellationToken)).ToLookup(entry => entry.Shard);
        return after.Select(position => entries[position.Shard].ToArray()).ToArray();
    }

    public async ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(
        TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, JournalSql.ReadGoal, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(goal.Value).Smallint(goal.Shard.Value).Bigint(afterSeq).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ReadEntriesAsync(reader, cancellationToken);
    }

    /// <summary>All of them in one commit; when the data of one is refused, each in its own, so that only the guilty one stays out.</summary>
    private async ValueTask AppendAsync(
        IReadOnlyList<ShardAppend> appends, int[] chosen, AppendOutcome[] outcomes, CancellationToken cancellationToken)
    {
        if (chosen.Length == 0)
            return;
        HashSet<ShardId> held;
        try
        {
            held = await InsertAsync(chosen.Select(i => appends[i]).ToArray(), cancellationToken);
        }
        catch (PostgresException exception) when (Failures.IsRefusal(exception))
        {
            if (chosen.Length == 1)
            {
                outcomes[chosen[0]] = AppendOutcome.Refused;
                return;
            }
            foreach (var i in chosen)
                await AppendAsync(appends, [i], outcomes, cancellationToken);
            return;
        }

        foreach (var i in chosen)
        {
            var append = appends[i];
            outcomes[i] = held.Contains(append.Shard) ? AppendOutcome.Committed : AppendOutcome.Fenced;
            if (outcomes[i] == AppendOutcome.Fenced)
                _heads.TryRemove(append.Shard, out _);
            else if (append.Entries.Count > 0)
                _heads[append.Shard] = new Head(append.Epoch, append.Entries[^1].Seq);
        }
    }

    private async ValueTask<HashSet<ShardId>> InsertAsync(ShardAppend[] appends, CancellationToken cancellationToken)
    {
        await using var command = _database.Journal.CreateCommand(JournalSql.Append);
        command.Parameters
            .Column(Array.ConvertAll(appends, append => (short)append.Shard.Value), NpgsqlDbType.Smallint)
            .Column(Array.ConvertAll(appends, append => append.Epoch.Value), NpgsqlDbType.Bigint);
        new EntryColumns(appends).AddTo(command.Parameters);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var held = new HashSet<ShardId>();
        while (await reader.ReadAsync(cancellationToken))
            held.Add(new ShardId(reader.GetInt16(0)));
        return held;
    }

    /// <summary>An append with a gap never gets in; whether it is refused or was fenced anyway is the database's to say.</summary>
    private async ValueTask MarkBrokenAsync(
        IReadOnlyList<ShardAppend> appends, int[] whole, AppendOutcome[] outcomes, CancellationToken cancellationToken)
    {
        var broken = Enumerable.Range(0, appends.Count).Except(whole).ToArray();
        var held = await InsertAsync(broken.Select(i => appends[i] with { Entries = [] }).ToArray(), cancellationToken);
        foreach (var i in broken)
            outcomes[i] = held.Contains(appends[i].Shard) ? AppendOutcome.Refused : AppendOutcome.Fenced;
    }

    private bool Follows(ShardAppend append)
    {
        var seq = _heads.TryGetValue(append.Shard, out var head) ? head.Seq : 0;
        foreach (var entry in append.Entries)
        {
            if (entry.Shard != append.Shard || entry.Seq != ++seq)
                return false;
        }
        return true;
    }

    private async ValueTask ReadMissingHeadsAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken)
    {
        var missing = appends.Where(append => !_heads.TryGetValue(append.Shard, out var head) || head.Epoch != append.Epoch).ToArray();
        if (missing.Length == 0)
            return;

        var epochs = missing.ToDictionary(append => append.Shard, append => append.Epoch);
        await using var command = _database.Journal.CreateCommand(JournalSql.ReadHeads);
        command.Parameters.Column(Array.ConvertAll(missing, append => (short)append.Shard.Value), NpgsqlDbType.Smallint);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var shard = new ShardId(reader.GetInt16(0));
            _heads[shard] = new Head(epochs[shard], reader.GetInt64(1));
        }
    }

    private static async ValueTask<IReadOnlyList<JournalEntry>> ReadEntriesAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var entries = new List<JournalEntry>();
        while (await reader.ReadAsync(cancellationToken))
        {
            entries.Add(new JournalEntry
            {
                Shard = new ShardId(reader.GetInt16(0)),
                Seq = reader.GetInt64(1),
                At = reader.GetFieldValue<DateTimeOffset>(2),
                Tenant = new TenantId(reader.GetGuid(3)),
                Goal = new GoalId(reader.GetGuid(4)),
                Task = reader.IsDBNull(5) ? null : new TaskId(reader.GetGuid(5)),
                Kind = (EventKind)reader.GetInt16(6),
                From = reader.IsDBNull(7) ? null : (TaskState)reader.GetInt16(7),
                Command = reader.IsDBNull(8) ? null : (TaskCommand)reader.GetInt16(8),
                To = reader.IsDBNull(9) ? null : (TaskState)reader.GetInt16(9),
                Attempt = reader.GetInt32(10),
                KeyId = reader.GetInt32(11),
                CodecVersion = reader.GetInt16(12),
                Data = reader.GetFieldValue<byte[]>(13),
            });
        }
        return entries;
    }

    private readonly record struct Head(Epoch Epoch, long Seq);
}
