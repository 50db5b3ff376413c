using System.Text.Json;

namespace Astra.Sdk;

public sealed record AgentView
{
    public required string Name { get; init; }

    /// <summary>Whose code runs it: a million agents may share one class.</summary>
    public required string Class { get; init; }

    public required string Description { get; init; }
    public required DateTimeOffset RegisteredAt { get; init; }

    /// <summary>After how long without a message it falls asleep; absent: the server's default.</summary>
    public double? IdleSeconds { get; init; }

    /// <summary>Counts the changes of its state.</summary>
    public required long StateVersion { get; init; }

    public DateTimeOffset? StateSavedAt { get; init; }

    /// <summary>As last committed. Left out of lists.</summary>
    public JsonElement? State { get; init; }

    /// <summary>Of an agent of the class `profile`. Left out of lists.</summary>
    public AgentProfile? Profile { get; init; }

    /// <summary>Workers connected to the node that was asked and offering the agent's class.</summary>
    public required int WorkerCount { get; init; }
}

/// <summary>POST /api/v1/agents, and what a worker's hello offers.</summary>
public sealed record AgentRegistration(string Name, string Description = "")
{
    /// <summary>Absent: its own name.</summary>
    public string? Class { get; init; }

    public double? IdleSeconds { get; init; }
}

/// <summary>POST /api/v1/agents/batch: at most 10,000 at once. Those that are there already stay as they are.</summary>
public sealed record AgentBatch(IReadOnlyList<AgentRegistration> Agents);

public sealed record AgentBatchAnswer(int Created, int Existing);
