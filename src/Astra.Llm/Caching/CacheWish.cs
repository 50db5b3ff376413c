namespace Astra.Llm.Caching;

/// <summary>What a request says about the cache of answers.</summary>
public enum CacheWish : byte
{
    /// <summary>Nothing: what can only be answered one way is cached, which is temperature 0, said in so many words, and embeddings.</summary>
    Default = 0,

    /// <summary>An answer that somebody got before will do, whatever the temperature.</summary>
    Yes = 1,

    /// <summary>Neither from the cache nor into it.</summary>
    No = 2,
}

/// <summary>How much the cache of one node holds, and for how long.</summary>
public sealed record CacheLimits
{
    public const int MegabytesDefault = 64;
    public const int SecondsDefault = 3600;

    public long BytesMax { get; init; } = (long)MegabytesDefault << 20;

    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromSeconds(SecondsDefault);

    /// <summary>One answer takes no more than an eighth, so that one alone does not drive out all others.</summary>
    public long AnswerBytesMax => BytesMax / 8;
}

/// <summary>The forms in which one answer is handed out.</summary>
internal enum AnswerForm : byte
{
    Whole = 0,
    Stream = 1,

    /// <summary>OpenAI's chat: the figures come as a chunk of their own, for who asks.</summary>
    StreamWithUsage = 2,
}
