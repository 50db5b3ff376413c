using System.Runtime.InteropServices;

namespace Astra.Hosting;

/// <summary>The real surroundings: this terminal, this environment, and a whole server behind one constructor.</summary>
public static class Composition
{
    public static Surroundings OfThisProcess(CancellationToken interrupted) => new()
    {
        Terminal = ThisTerminal(),
        Clock = TimeProvider.System,
        Environment = Environment.GetEnvironmentVariable,
        Home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
        IsRoot = Environment.IsPrivilegedProcess,
        Interrupted = interrupted,
        NewServer = options => new AstraServer(options),
        Connect = (address, adminKey) => new HttpServerLink(address, adminKey),
        ReadPlan = path => new PlanReading(null, $"This build of Astra cannot read {path}."),
    };

    private static Terminal ThisTerminal()
    {
        var isTerminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");
        return new Terminal(
            Console.Out, Console.Error, Console.In,
            IsLive: isTerminal && Environment.GetEnvironmentVariable("CI") is not "true",
            // A file has no width; tables in it should not be cut to what some terminal once had.
            Width: isTerminal ? Math.Max(40, WidthOfWindow()) : 160);
    }

    private static int WidthOfWindow()
    {
        try
        {
            return Console.WindowWidth;
        }
        catch (Exception e) when (e is IOException or ExternalException)
        {
            return 80;
        }
    }
}
