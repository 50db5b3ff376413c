using Astra.Kernel;
using Astra.Kernel.Journal;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Journal;

/// <summary>Entries as columns, the way unnest takes them: a thousand rows are as many parameters as one.</summary>
internal sealed class EntryColumns
{
    private readonly short[] _shard;
    private readonly long[] _seq;
    private readonly DateTimeOffset[] _at;
    private readonly Guid[] _tenant;
    private readonly Guid[] _goal;
    private readonly Guid?[] _task;
    private readonly short[] _kind;
    private readonly short?[] _from;
    private readonly short?[] _command;
    private readonly short?[] _to;
    private readonly int[] _attempt;
    private readonly int[] _keyId;
    private readonly short[] _codecVersion;
    private readonly ReadOnlyMemory<byte>[] _data;

    public EntryColumns(IReadOnlyList<ShardAppend> appends)
    {
        var count = appends.Sum(append => append.Entries.Count);
        _shard = new short[count];
        _seq = new long[count];
        _at = new DateTimeOffset[count];
        _tenant = new Guid[count];
        _goal = new Guid[count];
        _task = new Guid?[count];
        _kind = new short[count];
        _from = new short?[count];
        _command = new short?[count];
        _to = new short?[count];
        _attempt = new int[count];
        _keyId = new int[count];
        _codecVersion = new short[count];
        _data = new ReadOnlyMemory<byte>[count];

        var row = 0;
        foreach (var append in appends)
        {
            for (var i = 0; i < append.Entries.Count; i++)
                Set(row++, append.Entries[i]);
        }
    }

    public void AddTo(NpgsqlParameterCollection parameters) => parameters
        .Column(_shard, NpgsqlDbType.Smallint)
        .Column(_seq, NpgsqlDbType.Bigint)
        .Column(_at, NpgsqlDbType.TimestampTz)
        .Column(_tenant, NpgsqlDbType.Uuid)
        .Column(_goal, NpgsqlDbType.Uuid)
        .Column(_task, NpgsqlDbType.Uuid)
        .Column(_kind, NpgsqlDbType.Smallint)
        .Column(_from, NpgsqlDbType.Smallint)
        .Column(_command, NpgsqlDbType.Smallint)
        .Column(_to, NpgsqlDbType.Smallint)
        .Column(_attempt, NpgsqlDbType.Integer)
        .Column(_keyId, NpgsqlDbType.Integer)
        .Column(_codecVersion, NpgsqlDbType.Smallint)
        .Column(_data, NpgsqlDbType.Bytea);

    private void Set(int row, JournalEntry entry)
    {
        _shard[row] = (short)entry.Shard.Value;
        _seq[row] = entry.Seq;
        _at[row] = entry.At.ToUniversalTime();
        _tenant[row] = entry.Tenant.Value;
        _goal[row] = entry.Goal.Value;
        _task[row] = entry.Task?.Value;
        _kind[row] = (short)entry.Kind;
        _from[row] = (short?)entry.From;
        _command[row] = (short?)entry.Command;
        _to[row] = (short?)entry.To;
        _attempt[row] = entry.Attempt;
        _keyId[row] = entry.KeyId;
        _codecVersion[row] = entry.CodecVersion;
        _data[row] = entry.Data;
    }
}
