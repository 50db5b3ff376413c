using System.Text.Json;

namespace Astra.Sdk;

/// <summary>The one way from an agent to a tool: names it, checks the authority, runs it in a sandbox, keeps the receipt.</summary>
public interface IToolGate
{
    /// <exception cref="ToolRefusedException">Unknown tool, missing authority, input that is not of its schema, or no sandbox.</exception>
    /// <exception cref="ToolFailedException">The tool ran and failed; the receipt says how.</exception>
    ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken);
}

/// <param name="Tool">`name` or `name@version`.</param>
/// <param name="Input">Anything that serialises to JSON; it reaches the tool on its standard input.</param>
public sealed record ToolCall(string Tool, object? Input)
{
    /// <summary>Files and directories the tool may read for this call. They appear read-only inside the sandbox at
    /// <see cref="ToolMount.InsidePath"/>, and nothing else of the host does.</summary>
    public IReadOnlyList<ToolMount> Reads { get; init; } = [];

    /// <summary>Shortens the tool's own limit; never lengthens it.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>For a tool that acts on the outside world: the key of the effect this call is part of. The program finds it
    /// in ASTRA_IDEMPOTENCY_KEY and hands it on, so that the receiver knows the same effect again.</summary>
    public string? IdempotencyKey { get; init; }
}

public sealed record ToolMount(string HostPath, string InsidePath);

public sealed record ToolResult(JsonElement Output, ToolReceipt Receipt)
{
    public T As<T>() => AstraJson.Read<T>(Output);
}

/// <summary>What one run did, as far as the sandbox can see. Null means "not observed", which is not "none".</summary>
public sealed record ToolReceipt
{
    public required string Tool { get; init; }
    public required string SandboxTier { get; init; }
    public required int? ExitCode { get; init; }
    public required IReadOnlyList<string> LimitsHit { get; init; }
    public required IReadOnlyList<string> NotEnforced { get; init; }
    public required double DurationMs { get; init; }
    public double? CpuMs { get; init; }
    public long? MemoryPeakBytes { get; init; }
    public IReadOnlyList<string>? FilesWritten { get; init; }
    public IReadOnlyList<string>? FilesRead { get; init; }
    public IReadOnlyList<string>? HostsTried { get; init; }
}

public sealed class ToolRefusedException(string reason) : Exception(reason);

public sealed class ToolFailedException(string reason, ToolReceipt receipt) : Exception(reason)
{
    public ToolReceipt Receipt { get; } = receipt;
}

/// <summary>
/// A tool as it is known to a server: what it is called, what it takes, and the program that is it. Deny by default:
/// a program sees its input, the mounts of the call, and nothing else.
/// </summary>
public sealed record ToolDefinition
{
    /// <summary>Lower-case letters, digits and dashes.</summary>
    public required string Name { get; init; }
    public required string Version { get; init; }
    public string Description { get; init; } = "";

    /// <summary>JSON Schema of the input (type, properties, required, enum, items are checked).</summary>
    public JsonElement? InputSchema { get; init; }

    /// <summary>Program and arguments as seen inside the sandbox. "astra" is the server's own binary.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    public IReadOnlyList<ToolMount> Mounts { get; init; } = [];
    public ToolLimits Limits { get; init; } = new();

    /// <summary>Outside: a run of it cannot be taken back, so every run is in the effect ledger. Such a program exits with 75
    /// (EX_TEMPFAIL) when it knows that it has sent nothing.</summary>
    public ToolEffects Effects { get; init; }

    /// <summary>Every run of it needs a person's approval first: a step that calls it asks for it by itself, and a call from within
    /// another step is refused.</summary>
    public bool NeedsPerson { get; init; }
}

/// <summary>Whether a tool acts on the world outside of its sandbox.</summary>
public enum ToolEffects { None, Outside }

public sealed record ToolLimits
{
    public TimeSpan Wall { get; init; } = TimeSpan.FromSeconds(30);
    public TimeSpan Cpu { get; init; } = TimeSpan.FromSeconds(20);
    public long MemoryBytes { get; init; } = 512L << 20;
    public int Processes { get; init; } = 64;
    public long OutputBytes { get; init; } = 8L << 20;
    public long ScratchBytes { get; init; } = 64L << 20;
}

/// <summary>Content-addressed bytes that are too large for a step's output, and the files a goal leaves for people.</summary>
public interface IArtifactStore
{
    /// <returns>Where a person finds it: a path under the data directory.</returns>
    ValueTask<string> SaveAsync(Guid goal, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <returns>The content, or null when there is none of that name.</returns>
    ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Guid goal, string name, CancellationToken cancellationToken);

    /// <summary>A small document that outlives goals, by key (for instance: what the last audit saw of a package).</summary>
    ValueTask SaveNoteAsync(string collection, string key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    ValueTask<ReadOnlyMemory<byte>?> ReadNoteAsync(string collection, string key, CancellationToken cancellationToken);
}
