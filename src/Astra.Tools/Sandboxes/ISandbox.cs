namespace Astra.Tools.Sandboxes;

/// <summary>
/// Runs one program in a cage and returns what it left behind. When the call returns, whatever the program
/// started is dead. There is no way to run a program outside a cage from here.
/// </summary>
public interface ISandbox
{
    SandboxTier Tier { get; }

    /// <exception cref="SandboxUnavailableException">There is no cage on this machine.</exception>
    /// <exception cref="SandboxFailedException">The cage could not be built; the program never started.</exception>
    ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken ct);
}

/// <summary>How a program is caged. The number is a name, not a rank.</summary>
public enum SandboxTier
{
    /// <summary>No cage: tools are refused.</summary>
    None = 0,

    /// <summary>Linux without user namespaces: the program gives up its rights itself, then starts.</summary>
    Landlock = 1,

    /// <summary>Linux namespaces, seccomp and resource limits around one program.</summary>
    Process = 2,

    /// <summary>The profile language of macOS.</summary>
    MacProfile = 3,
}

/// <summary>The machine offers no cage. Says what to do about it; the program was not started.</summary>
public sealed class SandboxUnavailableException(string message) : Exception(message);

/// <summary>The cage could not be built for this run. The program was not started.</summary>
public sealed class SandboxFailedException(string message, Exception? cause = null) : Exception(message, cause);
