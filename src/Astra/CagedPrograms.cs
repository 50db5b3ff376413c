namespace Astra;

/// <summary>
/// The verbs that the sandbox runs inside a cage. They are not for people, so `--help` does not list them. They touch
/// neither the command-line library nor the console library: their start-up time is paid for every package.
/// </summary>
public static class CagedPrograms
{
    /// <summary>The exit code, or null when the first argument is no caged program.</summary>
    public static int? TryRun(string[] args) => args is [var verb, ..]
        ? verb switch
        {
            _ => null,
        }
        : null;
}
