namespace Astra.Kernel.Shards;

/// <summary>Asked once, at the start; answered with <see cref="RegionReady"/> or <see cref="RegionFailed"/>.</summary>
internal sealed record BeginRegion;

internal sealed record RegionReady;

internal sealed record RegionFailed(Exception Why);

/// <summary>The node has begun to drain, or does not any more: the next renewal says so, now.</summary>
internal sealed record DrainChanged;

/// <summary>Look at the leases now, and say when you have: answered with <see cref="LeasesSeen"/>.</summary>
internal sealed record LookAtLeases
{
    public static readonly LookAtLeases Instance = new();
}

internal sealed record LeasesSeen
{
    public static readonly LeasesSeen Instance = new();
}

/// <summary>From a node that drains: answered with <see cref="AllGivenBack"/> when no shard is its own any more, or nobody
/// takes them.</summary>
internal sealed record GiveAllBack
{
    public static readonly GiveAllBack Instance = new();
}

internal sealed record AllGivenBack
{
    public static readonly AllGivenBack Instance = new();
}
