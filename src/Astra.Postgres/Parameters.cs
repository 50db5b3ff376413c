using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres;

/// <summary>Typed parameters by position, so that a statement has one shape and is prepared once.</summary>
internal static class Parameters
{
    public static NpgsqlParameterCollection Uuid(this NpgsqlParameterCollection to, Guid value) => Put(to, value);
    public static NpgsqlParameterCollection Smallint(this NpgsqlParameterCollection to, int value) => Put(to, (short)value);
    public static NpgsqlParameterCollection Boolean(this NpgsqlParameterCollection to, bool value) => Put(to, value);
    public static NpgsqlParameterCollection Integer(this NpgsqlParameterCollection to, int value) => Put(to, value);
    public static NpgsqlParameterCollection Bigint(this NpgsqlParameterCollection to, long value) => Put(to, value);
    public static NpgsqlParameterCollection Interval(this NpgsqlParameterCollection to, TimeSpan value) => Put(to, value);
    public static NpgsqlParameterCollection Timestamp(this NpgsqlParameterCollection to, DateTimeOffset value) => Put(to, value.ToUniversalTime());
    public static NpgsqlParameterCollection Date(this NpgsqlParameterCollection to, DateOnly value) => Put(to, value);
    public static NpgsqlParameterCollection Text(this NpgsqlParameterCollection to, string value) => Put(to, value);

    public static NpgsqlParameterCollection Bytes(this NpgsqlParameterCollection to, ReadOnlyMemory<byte> value) => Put(to, value);

    /// <summary>Null is a value too: "any".</summary>
    public static NpgsqlParameterCollection OptionalUuid(this NpgsqlParameterCollection to, Guid? value) => PutOptional(to, value, NpgsqlDbType.Uuid);
    public static NpgsqlParameterCollection OptionalSmallint(this NpgsqlParameterCollection to, short? value) => PutOptional(to, value, NpgsqlDbType.Smallint);
    public static NpgsqlParameterCollection OptionalInteger(this NpgsqlParameterCollection to, int? value) => PutOptional(to, value, NpgsqlDbType.Integer);
    public static NpgsqlParameterCollection OptionalBigint(this NpgsqlParameterCollection to, long? value) => PutOptional(to, value, NpgsqlDbType.Bigint);
    public static NpgsqlParameterCollection OptionalText(this NpgsqlParameterCollection to, string? value) => PutOptional(to, value, NpgsqlDbType.Text);

    public static NpgsqlParameterCollection OptionalInterval(this NpgsqlParameterCollection to, TimeSpan? value) => PutOptional(to, value, NpgsqlDbType.Interval);

    public static NpgsqlParameterCollection OptionalTimestamp(this NpgsqlParameterCollection to, DateTimeOffset? value) =>
        PutOptional(to, value?.ToUniversalTime(), NpgsqlDbType.TimestampTz);

    /// <summary>A column of many rows, for unnest.</summary>
    public static NpgsqlParameterCollection Column<T>(this NpgsqlParameterCollection to, T[] values, NpgsqlDbType elementType)
    {
        to.Add(new NpgsqlParameter<T[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | elementType });
        return to;
    }

    private static NpgsqlParameterCollection Put<T>(NpgsqlParameterCollection to, T value)
    {
        to.Add(new NpgsqlParameter<T> { TypedValue = value });
        return to;
    }

    private static NpgsqlParameterCollection PutOptional(NpgsqlParameterCollection to, object? value, NpgsqlDbType type)
    {
        to.Add(new NpgsqlParameter { Value = value ?? DBNull.Value, NpgsqlDbType = type });
        return to;
    }
}
