namespace Astra.Kernel;

public enum RefusalKind
{
    /// <summary>There is no such thing in this tenant.</summary>
    NotFound,

    /// <summary>The request is wrong and will stay wrong.</summary>
    Invalid,

    /// <summary>The thing is not in a state, or at a revision, that allows it.</summary>
    Conflict,

    /// <summary>The report of an attempt that is over.</summary>
    Late,

    /// <summary>A limit was reached; try again after a while.</summary>
    Overloaded,

    /// <summary>The shard is starting, moving or without its database; try again after a while.</summary>
    Unavailable,

    /// <summary>Another node owns it.</summary>
    Elsewhere,

    /// <summary>Somebody's code that was to do it failed; the same request may well fail again.</summary>
    Failed,

    /// <summary>Whoever asks is known, and may not.</summary>
    Forbidden,
}

/// <param name="Reason">One sentence for a person: what is the matter and what to do.</param>
/// <param name="Address">Where the owner listens, when it is elsewhere.</param>
public sealed record Refusal(RefusalKind Kind, string Reason, TimeSpan? RetryAfter = null, string? Address = null)
{
    /// <summary>Nobody has looked at the request, because what it is about is moving between nodes or being loaded: it may be
    /// made again, whatever it asks for, and nothing is done twice.</summary>
    public bool IsMoving { get; init; }
}

/// <summary>A value or the reason why not. Refusals are ordinary; exceptions are for bugs.</summary>
public readonly struct Answer<T>
{
    private readonly T? _value;

    private Answer(T? value, Refusal? refusal) => (_value, Refusal) = (value, refusal);

    public Refusal? Refusal { get; }
    public bool IsOk => Refusal is null;
    public T Value => Refusal is null ? _value! : throw new InvalidOperationException(Refusal.Reason);

    internal static Answer<T> Of(T value) => new(value, null);

    public static implicit operator Answer<T>(T value) => Of(value);
    public static implicit operator Answer<T>(Refusal refusal) => new(default, refusal);
}

public static class Answer
{
    /// <summary>For values whose type is an interface, which no conversion can be written for.</summary>
    public static Answer<T> Of<T>(T value) => Answer<T>.Of(value);
}

/// <summary>Who asks. The tenant is part of every key, so forgetting a filter finds nothing instead of everything.</summary>
public readonly record struct Caller(TenantId Tenant, string Principal);
