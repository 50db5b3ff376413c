namespace Astra.Tools.Sandboxes;

/// <summary>What to run and what it may see. Everything that is not named here is absent inside.</summary>
public sealed record SandboxSpec
{
    /// <summary>Where the program is, as seen from inside.</summary>
    public required string Program { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Host files and directories that the program may read and execute.</summary>
    public IReadOnlyList<ReadOnlyMount> Mounts { get; init; } = [];

    /// <summary>The whole environment of the program. Secrets do not belong here: it is readable by
    /// everything that runs inside.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } =
        new Dictionary<string, string>(StringComparer.Ordinal);

    public SandboxLimits Limits { get; init; } = new();

    /// <summary>Standard input, followed by its end.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>Take out what the program leaves in <c>/output</c>: regular files only.</summary>
    public bool CollectOutputFiles { get; init; }

    /// <summary>The host's programs and libraries (<c>/usr</c>, <c>/lib*</c>, <c>/bin</c>), read-only. Of
    /// <c>/etc</c> only the loader's cache and an account file made up for the run.</summary>
    public bool HostLibraries { get; init; } = true;

    /// <exception cref="ArgumentException">The request makes no sense; the message says which part.</exception>
    internal void Check()
    {
        foreach (var text in Arguments.Append(Program).Concat(Environment.Keys).Concat(Environment.Values)
                     .Concat(Mounts.SelectMany(m => (string[])[m.HostPath, m.InsidePath])))
            if (text.Contains('\0'))
                throw new ArgumentException("A program, argument, variable or path contains a zero byte.");
        if (!Program.StartsWith('/'))
            throw new ArgumentException($"The program must be an absolute path inside the sandbox, not '{Program}'.");
        foreach (var mount in Mounts)
        {
            if (!Path.IsPathFullyQualified(mount.HostPath) || !IsPlainAbsolute(mount.InsidePath))
                throw new ArgumentException(
                    $"A mount needs two absolute paths, not '{mount.HostPath}' at '{mount.InsidePath}'.");
            if (Reserved.Any(r => (mount.InsidePath + "/").StartsWith(r + "/", StringComparison.Ordinal)))
                throw new ArgumentException(
                    $"Nothing can be mounted at '{mount.InsidePath}': the sandbox owns that path.");
        }
        foreach (var name in Environment.Keys)
            if (name.Length == 0 || name.Contains('='))
                throw new ArgumentException($"'{name}' is not the name of an environment variable.");
        Limits.Check();
    }

    private static readonly string[] Reserved = ["/proc", "/dev", "/tmp", "/output", "/etc", "/sys"];

    private static bool IsPlainAbsolute(string path) =>
        path.Length > 1 && path[0] == '/' && path[1..].Split('/').All(part => part is not ("" or "." or ".."));
}

/// <summary>A host file or directory, readable and executable inside, never writable.</summary>
public sealed record ReadOnlyMount(string HostPath, string InsidePath);

/// <summary>How much a run may use. Reaching a limit is named in the receipt.</summary>
public sealed record SandboxLimits
{
    /// <summary>From the start of the program to its death, whatever it is doing.</summary>
    public TimeSpan Wall { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Processor time of all its processes together.</summary>
    public TimeSpan Cpu { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Memory of all its processes together, files in <c>/tmp</c> and <c>/output</c> included.</summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Processes and threads alive at the same time.</summary>
    public int Pids { get; init; } = 64;

    /// <summary>Size of <c>/tmp</c>, and again of <c>/output</c>.</summary>
    public long ScratchBytes { get; init; } = 64L << 20;

    /// <summary>Standard output. The run is ended at the first byte too many.</summary>
    public long OutputBytes { get; init; } = 8L << 20;

    /// <summary>Standard error. What comes after is dropped and the run goes on: logs are not results.</summary>
    public long ErrorBytes { get; init; } = 64L << 10;

    /// <summary>Open files of one process.</summary>
    public int OpenFiles { get; init; } = 256;

    /// <summary>The largest single file it may write.</summary>
    public long FileBytes { get; init; } = 64L << 20;

    /// <summary>Files taken out of <c>/output</c>. Their bytes are bounded by <see cref="ScratchBytes"/>.</summary>
    public int OutputFiles { get; init; } = 256;

    /// <summary>Below this the cage itself does not fit.</summary>
    internal const long MemoryBytesMin = 4L << 20;

    internal void Check()
    {
        if (Wall <= TimeSpan.Zero || Cpu <= TimeSpan.Zero || Pids < 1 || ScratchBytes < 4096 || OutputBytes < 0
            || ErrorBytes < 0 || OpenFiles < 8 || FileBytes < 0 || OutputFiles < 0 || MemoryBytes < MemoryBytesMin)
            throw new ArgumentException($"These limits leave no room for a program: {this}.");
    }
}
