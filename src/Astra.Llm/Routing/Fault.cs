namespace Astra.Llm.Routing;

/// <summary>What can go wrong with an attempt before its first content.</summary>
public enum FaultKind : byte
{
    /// <summary>The provider does not take the key: 401, 403.</summary>
    Key = 0,

    /// <summary>The key has had its share: 429, 402.</summary>
    Throttled = 1,

    /// <summary>The provider failed: 5xx, no connection, a connection that broke.</summary>
    Server = 2,

    /// <summary>Nothing came in time: 408 too.</summary>
    Timeout = 3,

    /// <summary>What came is no answer of a model: a web page, broken JSON, a stream that ends before it says anything.</summary>
    Garbage = 4,

    /// <summary>The provider does not take the request, and no other would: every other 4xx.</summary>
    Request = 5,

    /// <summary>The address is one that this provider's owner may not have the server connect to.</summary>
    Forbidden = 6,
}

/// <summary>What a fault does to the key it was met with and to the target, and whether another target is tried.</summary>
internal readonly record struct FaultEffect(bool DisablesKey, bool CoolsKey, bool CountsAgainstTarget, bool FailsOver);

/// <param name="Sentence">For people; it holds nothing of the request.</param>
/// <param name="Status">What the provider answered; 0 when it did not.</param>
/// <param name="Body">The provider's own words about the request, for its client; bounded.</param>
public sealed record Fault(FaultKind Kind, string Sentence, int Status = 0, ReadOnlyMemory<byte> Body = default, TimeSpan? RetryAfter = null, bool MayHaveCost = false)
{
    // One row for each kind, in their order: the law of failing over.
    private static readonly FaultEffect[] Effects =
    [
        /* Key       */ new(DisablesKey: true,  CoolsKey: false, CountsAgainstTarget: false, FailsOver: true),
        /* Throttled */ new(DisablesKey: false, CoolsKey: true,  CountsAgainstTarget: false, FailsOver: true),
        /* Server    */ new(DisablesKey: false, CoolsKey: false, CountsAgainstTarget: true,  FailsOver: true),
        /* Timeout   */ new(DisablesKey: false, CoolsKey: false, CountsAgainstTarget: true,  FailsOver: true),
        /* Garbage   */ new(DisablesKey: false, CoolsKey: false, CountsAgainstTarget: true,  FailsOver: true),
        /* Request   */ new(DisablesKey: false, CoolsKey: false, CountsAgainstTarget: false, FailsOver: false),
        /* Forbidden */ new(DisablesKey: false, CoolsKey: false, CountsAgainstTarget: true,  FailsOver: true),
    ];

    internal FaultEffect Effect => Effects[(int)Kind];

    public static FaultKind KindOf(int status) => status switch
    {
        401 or 403 => FaultKind.Key,
        429 or 402 => FaultKind.Throttled,
        408 => FaultKind.Timeout,
        >= 400 and < 500 => FaultKind.Request,
        _ => FaultKind.Server,
    };
}
