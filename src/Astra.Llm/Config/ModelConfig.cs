using System.Text.Json.Serialization;

namespace Astra.Llm.Config;

/// <summary>Everything that is configured about models, as it stands in the file.</summary>
public sealed record ModelConfig
{
    public const int TotalSecondsDefault = 600;

    public static readonly ModelConfig Empty = new();

    public IReadOnlyList<ProviderConfig> Providers { get; init; } = [];
    public IReadOnlyList<RouteConfig> Routes { get; init; } = [];

    /// <summary>Routes by the kind of a task: who asks for no model in particular (`auto`) gets the one of its kind.</summary>
    public IReadOnlyDictionary<string, string> Kinds { get; init; } = new Dictionary<string, string>();

    /// <summary>From the first attempt to the last token, however many attempts there are.</summary>
    public int TotalSeconds { get; init; } = TotalSecondsDefault;

    /// <summary>What the cache of answers may take of this node's memory; 0 keeps none.</summary>
    public int CacheMegabytes { get; init; } = Caching.CacheLimits.MegabytesDefault;

    /// <summary>How long an answer is given again.</summary>
    public int CacheSeconds { get; init; } = Caching.CacheLimits.SecondsDefault;
}

[JsonConverter(typeof(JsonStringEnumConverter<ProviderKind>))]
public enum ProviderKind : byte
{
    /// <summary>OpenAI and everything that speaks like it: Azure, vLLM, LM Studio, llama.cpp, MLX.</summary>
    [JsonStringEnumMemberName("openai")]
    OpenAi = 1,

    [JsonStringEnumMemberName("anthropic")]
    Anthropic = 2,

    /// <summary>Ollama: its models and where they run by its own protocol, the rest by the one it borrows from OpenAI.</summary>
    [JsonStringEnumMemberName("ollama")]
    Ollama = 3,
}

[JsonConverter(typeof(JsonStringEnumConverter<Tier>))]
public enum Tier : byte
{
    [JsonStringEnumMemberName("local")]
    Local = 1,

    [JsonStringEnumMemberName("standard")]
    Standard = 2,

    [JsonStringEnumMemberName("premium")]
    Premium = 3,

    [JsonStringEnumMemberName("code")]
    Code = 4,
}

/// <summary>Which of several targets comes first. The others follow when it fails.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Balance>))]
public enum Balance : byte
{
    /// <summary>As they are written.</summary>
    [JsonStringEnumMemberName("order")]
    Order = 1,

    /// <summary>The quicker of two at random, by the measured time to the first token.</summary>
    [JsonStringEnumMemberName("latency")]
    Latency = 2,

    /// <summary>The cheapest; those without a price last.</summary>
    [JsonStringEnumMemberName("price")]
    Price = 3,
}

/// <param name="BaseUrl">Up to what the kind appends: for openai it ends in /v1 as a rule, for the others it does not.</param>
public sealed record ProviderConfig(string Name, ProviderKind Kind, string BaseUrl)
{
    public const int FirstTokenSecondsDefault = 60;
    public const int BetweenTokensSecondsDefault = 30;
    public const int AnswerSecondsDefault = 300;

    /// <summary>Whose it is. Null is the one of whoever runs the server, for every tenant, wherever it is.</summary>
    public Guid? Tenant { get; init; }

    /// <summary>Names of secrets, each with a key of the provider; they are taken in turn.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    public IReadOnlyList<ModelEntry> Models { get; init; } = [];

    /// <summary>Azure's: the key goes into a header of this name instead of Authorization.</summary>
    public string? KeyHeader { get; init; }

    /// <summary>It understands /responses itself; otherwise such a request is made a chat.</summary>
    public bool Responses { get; init; }

    /// <summary>What bounds an answer is called max_completion_tokens there.</summary>
    public bool MaxCompletionTokens { get; init; }

    /// <summary>False where `stream_options` is refused.</summary>
    public bool StreamUsage { get; init; } = true;

    public double FirstTokenSeconds { get; init; } = FirstTokenSecondsDefault;
    public double BetweenTokensSeconds { get; init; } = BetweenTokensSecondsDefault;

    /// <summary>For answers in one piece: until the first byte.</summary>
    public double AnswerSeconds { get; init; } = AnswerSecondsDefault;
}

/// <param name="Id">What the provider calls it.</param>
public sealed record ModelEntry(string Id, Tier Tier = Tier.Standard)
{
    /// <summary>The most tokens that one answer may have; what a budget injects is never more.</summary>
    public int OutputTokensMax { get; init; } = 8192;
}

/// <param name="Models">`provider/model` or a model's name alone.</param>
public sealed record RouteConfig(string Name, IReadOnlyList<string> Models)
{
    public Balance Balance { get; init; } = Balance.Order;

    /// <summary>A second attempt beside the first when that takes longer than 95 of 100 do.</summary>
    public bool Hedge { get; init; } = true;

    public Guid? Tenant { get; init; }
}
