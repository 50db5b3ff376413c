namespace Astra.Sdk;


public sealed record StatusView
{
    public required string Version { get; init; }
    public required string NodeId { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required string Database { get; init; }
    public required int ShardsOwned { get; init; }
    public required int ShardsTotal { get; init; }
    public required IReadOnlyList<NodeView> Nodes { get; init; }
    public required int GoalsActive { get; init; }
    public required int TasksReady { get; init; }
    public required int TasksRunning { get; init; }
    public required int WorkersConnected { get; init; }
    public required string SandboxTier { get; init; }
    public required long ResidentBytes { get; init; }

    /// <summary>Committed by the database since it was made; what an idle server costs is the difference of two of these.</summary>
    public long? DatabaseCommits { get; init; }

    /// <summary>This node hands nothing out and gives its shards away.</summary>
    public bool Draining { get; init; }

    public int TenantsWaiting { get; init; }

    /// <summary>What a tenant with nothing running waits for its first slot at most; left out without a slot.</summary>
    public double? WaitAtMostSeconds { get; init; }
}

public sealed record NodeView(string NodeId, string Address, int Shards, bool Alive);

/// <summary>RFC 9457.</summary>
public sealed record Problem
{
    public string Type { get; init; } = "about:blank";
    public required string Title { get; init; }
    public required int Status { get; init; }
    public string? Detail { get; init; }
}
