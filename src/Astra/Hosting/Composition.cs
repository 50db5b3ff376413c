using System.Runtime.InteropServices;
using Astra.Agents;
using Astra.Tools.Programs;

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
        ReadPlan = ReadPlan,
        ReadProfile = ReadProfile,
        RunEditor = TextEditor.EditAsync,
    };

    private static PlanReading ReadPlan(string path)
    {
        try
        {
            return new PlanReading(PlanFile.Parse(File.ReadAllText(path), BuiltIn.Catalog().Labels), null);
        }
        catch (PlanFileException e)
        {
            return new PlanReading(null, $"{path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new PlanReading(null, $"{path} cannot be read: {e.Message}");
        }
    }

    private static ProfileReading ReadProfile(string path)
    {
        try
        {
            // Documents are named as seen from the profile, wherever the command is typed.
            var beside = Path.GetDirectoryName(Path.GetFullPath(path))!;
            return new ProfileReading(ProfileFile.Parse(File.ReadAllText(path), document => File.ReadAllText(Path.Combine(beside, document))), null);
        }
        catch (PlanFileException e)
        {
            return new ProfileReading(null, $"{path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ProfileReading(null, $"{path} cannot be read: {e.Message}");
        }
    }

    private static Terminal ThisTerminal()
    {
        var isTerminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");
        return new Terminal(
            Console.Out, Console.Error, Console.In,
            IsLive: isTerminal && Environment.GetEnvironmentVariable("CI") is not "true",
            // A file has no width; tables in it should not be cut to what some terminal once had.
            Width: isTerminal ? Math.Max(40, WidthOfWindow()) : 160)
        {
            PressedKey = static () => !Console.IsInputRedirected && Console.KeyAvailable ? Console.ReadKey(intercept: true).KeyChar : null,
            ReadHidden = Console.IsInputRedirected ? null : ReadHidden,
            Height = static () => Console.IsOutputRedirected ? 50 : Math.Max(10, Console.WindowHeight),
        };
    }

    private static string? ReadHidden()
    {
        var typed = new System.Text.StringBuilder();
        while (Console.ReadKey(intercept: true) is var key && key.Key != ConsoleKey.Enter)
        {
            if (key.Key == ConsoleKey.Backspace)
                typed.Length = Math.Max(0, typed.Length - 1);
            else if (key.KeyChar != '\0')
                typed.Append(key.KeyChar);
        }
        return typed.ToString();
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
