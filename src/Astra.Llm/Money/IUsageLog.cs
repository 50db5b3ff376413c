namespace Astra.Llm.Money;

/// <summary>What every attempt came to. Written once for each: the attempt's id is the key, and a second record of it changes nothing.</summary>
public interface IUsageLog
{
    /// <summary>Returns when the record is taken; it waits where there is no room, and drops nothing.</summary>
    ValueTask WriteAsync(UsageRecord record, CancellationToken cancellationToken);
}

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome : byte
{
    Completed = 1,

    /// <summary>The provider failed before the first content: another attempt may have followed.</summary>
    Failed = 2,

    /// <summary>The answer broke off after its first content.</summary>
    Cut = 3,

    /// <summary>The client went away.</summary>
    Abandoned = 4,

    /// <summary>Another attempt at the same request was faster.</summary>
    Overtaken = 5,

    /// <summary>Nobody was asked: the answer was one that had been given before, or was being given to somebody else.</summary>
    Cached = 6,
}

/// <summary>How the figures of a record came about.</summary>
public enum UsageSource : byte
{
    /// <summary>The provider said so; zero is a value.</summary>
    Reported = 1,

    /// <summary>The provider did not get to say it: counted from what was sent and delivered, never too low.</summary>
    Estimated = 2,
}

/// <param name="Attempt">The key: one record for each attempt, however often it is written.</param>
/// <param name="Request">The same for all attempts at one request.</param>
/// <param name="Cost">Null where the model has no price.</param>
/// <param name="Operation">As OpenTelemetry names it: chat, embeddings.</param>
/// <param name="Calls">More than one for answers from the cache alone, which are counted before they are written.</param>
/// <param name="PriceValidFrom">The version of the price that the cost was computed with.</param>
public sealed record UsageRecord(
    Guid Attempt, Guid Request, DateTimeOffset At, Spender Spender, string Provider, string Model, AttemptOutcome Outcome,
    TokenUsage Usage, UsageSource Source, Nanodollars? Cost, DateTimeOffset? PriceValidFrom, TimeSpan Duration, TimeSpan? TimeToFirstToken,
    string Operation = "chat", long Calls = 1);

/// <summary>Nobody keeps records.</summary>
public sealed class NoUsageLog : IUsageLog
{
    public static readonly NoUsageLog Instance = new();

    private NoUsageLog()
    {
    }

    public ValueTask WriteAsync(UsageRecord record, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
