namespace Astra.Kernel.Tasks;

/// <summary>What a task is, apart from how far it has come. The kernel reads labels and numbers; payloads are bytes.</summary>
public sealed record TaskSpec
{
    /// <summary>Unique within its goal.</summary>
    public required string Name { get; init; }

    /// <summary>The label a worker must offer, for instance `agent:auditor` or `tool:unpack@1`.</summary>
    public required string Executor { get; init; }

    /// <summary>For the executor; the kernel does not read it.</summary>
    public string Kind { get; init; } = "";

    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>Higher runs earlier among the same agent's tasks; -100 to 100.</summary>
    public int Priority { get; init; }

    public int AttemptCountMax { get; init; } = 3;
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(30);
    public TaskExtras Extras { get; init; } = TaskExtras.None;
}
