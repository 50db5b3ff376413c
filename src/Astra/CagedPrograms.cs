using Astra.Auditor;
using Astra.Auditor.Cage;
using Astra.Tools.Sandboxes;

namespace Astra;

/// <summary>
/// The verbs that the sandbox runs, inside a cage or to become one. They are not for people, so `--help` does not list
/// them. They touch neither the command-line library nor the console library: their start-up time is paid for every
/// package.
/// </summary>
public static class CagedPrograms
{
    /// <summary>The exit code, or null when the first argument is no caged program.</summary>
    public static int? TryRun(string[] args) => args is [var verb, ..]
        ? verb switch
        {
            AuditorTools.InspectVerb => Run(Inspector.Main),
            AuditorTools.DiscoverVerb => Run(Discoverer.Main),
            LandlockLauncher.Verb => LandlockLauncher.Run(args),
            _ => null,
        }
        : null;

    private static int Run(Func<Stream, Stream, int> program)
    {
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        try
        {
            return program(input, output);
        }
        catch (Exception e)
        {
            // The receipt keeps what a tool says last; a sentence there is worth more than a stack.
            Console.Error.WriteLine($"{e.GetType().Name}: {e.Message}");
            return 1;
        }
    }
}
