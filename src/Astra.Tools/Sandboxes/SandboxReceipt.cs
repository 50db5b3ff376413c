namespace Astra.Tools.Sandboxes;

/// <summary>What one run did, as far as this tier can see, and what stood around it.</summary>
public sealed record SandboxReceipt
{
    public required SandboxTier Tier { get; init; }

    /// <summary>The tier in words, naming the mechanisms ("bubblewrap, seccomp, cgroup v1").</summary>
    public required string TierName { get; init; }

    /// <summary>Null when a signal ended the program.</summary>
    public required int? ExitCode { get; init; }

    /// <summary>Null when the program ended by itself.</summary>
    public required int? Signal { get; init; }

    public required IReadOnlyList<SandboxLimit> LimitsHit { get; init; }

    public required Observed<TimeSpan> Cpu { get; init; }

    public required Observed<long> MemoryPeakBytes { get; init; }

    /// <summary>What was in <c>/tmp</c> and <c>/output</c> at the end: nothing else can be written. A file
    /// that was written and removed again is not in this list.</summary>
    public required Observed<IReadOnlyList<string>> FilesWritten { get; init; }

    public required Observed<IReadOnlyList<string>> FilesRead { get; init; }

    public required Observed<IReadOnlyList<string>> HostsTried { get; init; }

    /// <summary>From the start of the program to the death of its last process.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>What held during this run, in words.</summary>
    public required IReadOnlyList<string> Enforced { get; init; }

    /// <summary>What was asked for and did not hold during this run, with the reason.</summary>
    public required IReadOnlyList<string> NotEnforced { get; init; }
}

/// <summary>The limit that ended or curtailed a run.</summary>
public enum SandboxLimit
{
    Wall = 1,
    Cpu = 2,
    Memory = 3,
    Pids = 4,
    Scratch = 5,
    Output = 6,
    ErrorOutput = 7,
    FileSize = 8,
    OutputFiles = 9,
}

/// <summary>A value that was seen, or the reason why nobody could see it. The two are never confused: an
/// empty list means that nothing happened, "not observed" that nobody looked.</summary>
public readonly struct Observed<T>
{
    private readonly T? _value;
    private readonly string? _whyNot;

    internal Observed(bool isObserved, T? value, string? whyNot)
    {
        IsObserved = isObserved;
        _value = value;
        _whyNot = whyNot;
    }

    public bool IsObserved { get; }

    public T Value => IsObserved ? _value! : throw new InvalidOperationException($"Not observed: {WhyNot}");

    public string WhyNot => IsObserved
        ? throw new InvalidOperationException("It was observed.")
        : _whyNot ?? "nobody looked";

    public override string ToString() => IsObserved ? $"{_value}" : $"not observed ({WhyNot})";
}

/// <summary>Makes observations.</summary>
public static class Observed
{
    public static Observed<T> Value<T>(T value) => new(true, value, null);

    public static Observed<T> Not<T>(string because) => new(false, default, because);
}

/// <summary>A regular file that the program left in <c>/output</c>. The name is relative, made of plain
/// parts, and valid UTF-8 without control characters.</summary>
public sealed record OutputFile(string Name, ReadOnlyMemory<byte> Content);

/// <summary>Everything that comes out of a cage.</summary>
public sealed record SandboxResult(
    ReadOnlyMemory<byte> Output,
    ReadOnlyMemory<byte> Error,
    IReadOnlyList<OutputFile> Files,
    SandboxReceipt Receipt);
