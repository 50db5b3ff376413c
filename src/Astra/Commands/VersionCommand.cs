using System.CommandLine;
using System.Reflection;

namespace Astra.Commands;

public static class VersionCommand
{
    public static string Version { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("version", "Print the version.");
        command.WithExamples("version");
        command.SetAction(parsed => surroundings.Terminal.Out.WriteLine(
            parsed.GetValue(shared.Verbose) ? $"astra {Version} (.NET {Environment.Version})" : $"astra {Version}"));
        return command;
    }
}
