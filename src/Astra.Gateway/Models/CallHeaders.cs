using System.Globalization;
using Astra.Llm;
using Astra.Llm.Caching;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>What a request for a model says beside its body: for whom and for what it is. All of it may be left out.</summary>
internal sealed record CallHeaders(string? Agent, string? Kind, Guid? Goal, Guid? Task, int? Attempt, CallPriority Priority, CacheWish Cache)
{
    private const int LabelLengthMax = 200;

    private static readonly CallHeaders None = new(null, null, null, null, null, CallPriority.Normal, CacheWish.Default);

    /// <exception cref="FormatException">One of them says what it cannot; the message is for the client.</exception>
    public static CallHeaders Of(HttpRequest request)
    {
        var headers = request.Headers;
        // As nearly every request comes.
        if (!headers.ContainsKey("x-astra-agent") && !headers.ContainsKey("x-astra-kind") && !headers.ContainsKey("x-astra-goal")
            && !headers.ContainsKey("x-astra-task") && !headers.ContainsKey("x-astra-attempt") && !headers.ContainsKey("x-astra-priority") && !headers.ContainsKey("x-astra-cache"))
            return None;
        return new CallHeaders(
            Label(request, "x-astra-agent"), Label(request, "x-astra-kind"), Id(request, "x-astra-goal"), Id(request, "x-astra-task"), AttemptOf(request),
            (string?)headers["x-astra-priority"] switch
            {
                null or "normal" => CallPriority.Normal,
                "low" => CallPriority.Low,
                "high" => CallPriority.High,
                _ => throw new FormatException("x-astra-priority is low, normal or high."),
            },
            (string?)headers["x-astra-cache"] switch
            {
                null => CacheWish.Default,
                "yes" => CacheWish.Yes,
                "no" => CacheWish.No,
                _ => throw new FormatException("x-astra-cache is yes or no."),
            });
    }

    private static string? Label(HttpRequest request, string name) =>
        (string?)request.Headers[name] is not { } label ? null
        : label.Length is > 0 and <= LabelLengthMax && Words.IsPlain(label) ? label
        : throw new FormatException($"{name} is one short line.");

    private static int? AttemptOf(HttpRequest request) =>
        (string?)request.Headers["x-astra-attempt"] is not { } text ? null
        : !request.Headers.ContainsKey("x-astra-task") ? throw new FormatException("x-astra-attempt is a number of attempts at a task; say which in x-astra-task.")
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var attempt) ? attempt
        : throw new FormatException("x-astra-attempt must be a whole number.");

    private static Guid? Id(HttpRequest request, string name) =>
        (string?)request.Headers[name] is not { } text ? null
        : Guid.TryParse(text, out var id) ? id
        : throw new FormatException($"{name} must be an id.");
}
