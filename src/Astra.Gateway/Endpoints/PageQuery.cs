using Astra.Sdk;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>Cursor paging: a cursor is the id of the last item of the page before.</summary>
internal static class PageQuery
{
    public const int LimitDefault = 50;
    public const int LimitMax = 500;

    public static IResult? Refuse(int? limit) => limit is null or (>= 1 and <= LimitMax) ? null
        : Problems.Of(StatusCodes.Status400BadRequest, $"limit is 1 to {LimitMax}, not {limit}.");

    public static IResult? Refuse(string? cursor, out Guid? after)
    {
        after = null;
        if (string.IsNullOrEmpty(cursor))
            return null;
        if (!Guid.TryParseExact(cursor, "N", out var id))
            return Problems.Of(StatusCodes.Status400BadRequest, "The cursor is not one of this server's; take it from `next` of the page before.");
        after = id;
        return null;
    }

    /// <summary>One of a few words, by its name alone: Enum.TryParse takes numbers too.</summary>
    public static IResult? Refuse<T>(string name, string? word, out T? value) where T : struct, Enum
    {
        value = null;
        if (string.IsNullOrEmpty(word))
            return null;
        if (!Enum.GetNames<T>().Contains(word, StringComparer.OrdinalIgnoreCase))
            return Problems.Of(StatusCodes.Status400BadRequest, $"{name} is one of {string.Join(", ", Enum.GetNames<T>().Select(known => known.ToLowerInvariant()))}.");
        value = Enum.Parse<T>(word, ignoreCase: true);
        return null;
    }

    /// <param name="rows">One more than the page holds, if there are that many.</param>
    public static Page<TView> ToPage<TRow, TView>(IReadOnlyList<TRow> rows, int limit, Func<TRow, TView> toView, Func<TRow, Guid> idOf) => new(
        [.. rows.Take(limit).Select(toView)],
        rows.Count > limit ? idOf(rows[limit - 1]).ToString("N") : null);
}
