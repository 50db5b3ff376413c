namespace Astra.Gateway;

/// <summary>What a line of the log is about, each in a field of its own. The id of the trace follows from the goal's.</summary>
public readonly record struct LogIds
{
    public string? Node { get; init; }
    public Guid? Tenant { get; init; }
    public Guid? Goal { get; init; }
    public Guid? Task { get; init; }
    public int? Attempt { get; init; }
    public int? Shard { get; init; }
    public string? Actor { get; init; }
    public Guid? Hook { get; init; }
    public Guid? Message { get; init; }
}
