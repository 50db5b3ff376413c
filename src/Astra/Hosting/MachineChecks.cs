using Astra.Tools.Sandboxes;

namespace Astra.Hosting;

public enum CheckOutcome { Fine, Poor, Bad }

/// <param name="Says">What was found.</param>
/// <param name="WhatToDo">What to type or change; null when nothing needs to be.</param>
public sealed record CheckFinding(string Name, CheckOutcome Outcome, string Says, string? WhatToDo = null);

/// <summary>What this machine offers.</summary>
public static class MachineChecks
{
    private const int PostgresMajorMin = 15;
    private const long FreeBytesMin = 1L << 30;

    public static async Task<List<CheckFinding>> AllAsync(
        DataDirectory data, bool hasDatabase, Func<string, string?> environment, CancellationToken cancellationToken) =>
    [
        Runtime(), Postgres(hasDatabase, environment), .. await SandboxAsync(cancellationToken), DataDirectoryFit(data), Disk(data),
    ];

    private static CheckFinding Runtime() => new("runtime", CheckOutcome.Fine,
        $".NET {Environment.Version}, {System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier}, {Environment.ProcessorCount} processors");

    private static CheckFinding Postgres(bool hasDatabase, Func<string, string?> environment)
    {
        if (hasDatabase)
            return new("postgresql", CheckOutcome.Fine, "a database of yours is configured");
        var found = PostgresPrograms(environment).OrderByDescending(program => program.Major).FirstOrDefault();
        var install = OperatingSystem.IsMacOS() ? "brew install postgresql@17" : "sudo apt-get install postgresql, or let ./astra do it";
        return found switch
        {
            { Path: null } => new("postgresql", CheckOutcome.Bad, "the server programs are missing", install),
            { Major: > 0 and < PostgresMajorMin } => new("postgresql", CheckOutcome.Bad, $"{found.Path} is version {found.Major}; {PostgresMajorMin} or later is needed", install),
            _ => new("postgresql", CheckOutcome.Fine, found.Major > 0 ? $"version {found.Major}, {found.Path}" : found.Path),
        };
    }

    private static IEnumerable<(int Major, string Path)> PostgresPrograms(Func<string, string?> environment)
    {
        (string Parent, string Prefix)[] places =
            [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql@"), ("/usr/local/opt", "postgresql@")];
        foreach (var (parent, prefix) in places.Where(place => Directory.Exists(place.Parent)))
        {
            foreach (var directory in Directory.EnumerateDirectories(parent, prefix + "*"))
            {
                var program = Path.Combine(directory, "bin", "postgres");
                if (int.TryParse(Path.GetFileName(directory)[prefix.Length..], out var major) && File.Exists(program))
                    yield return (major, program);
            }
        }

        if (OnPath("postgres", environment) is { } other)
            yield return (0, other);
    }

    /// <summary>What the strongest cage of this machine enforces, found by using it, and each protection it lacks with
    /// the command that brings it.</summary>
    private static async Task<IEnumerable<CheckFinding>> SandboxAsync(CancellationToken cancellationToken)
    {
        var report = await Sandboxes.ProbeAsync(cancellationToken);
        var first = report.Tier == SandboxTier.None
            ? new CheckFinding("sandbox", CheckOutcome.Bad, "none works here, so tools are refused")
            : new CheckFinding("sandbox", CheckOutcome.Fine, $"{report.TierName}; enforced: {string.Join(", ", report.Enforced)}");
        return [first, .. report.Missing.Select(missing => new CheckFinding("sandbox", CheckOutcome.Poor, $"{missing.What}: {missing.Why}", missing.Remedy))];
    }

    private static CheckFinding DataDirectoryFit(DataDirectory data)
    {
        if (!Directory.Exists(data.Path))
            return new("data", CheckOutcome.Fine, $"{data.Path}, made at the first start");
        try
        {
            var probe = Path.Combine(data.Path, $".doctor.{Environment.ProcessId}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
            return new("data", CheckOutcome.Fine, data.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new("data", CheckOutcome.Bad, $"{data.Path} cannot be written to", "choose another with --data or ASTRA_DATA, or correct its permissions");
        }
    }

    private static CheckFinding Disk(DataDirectory data)
    {
        var place = data.Path;
        while (!Directory.Exists(place))
            place = Path.GetDirectoryName(place) ?? "/";
        var free = new DriveInfo(place).AvailableFreeSpace;
        return free >= FreeBytesMin
            ? new("disk", CheckOutcome.Fine, $"{Display.Words.Size(free)} free")
            : new("disk", CheckOutcome.Poor, $"only {Display.Words.Size(free)} free", $"free some space, or put the data elsewhere with --data");
    }

    private static string? OnPath(string program, Func<string, string?> environment) => (environment("PATH") ?? "")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(directory => Path.Combine(directory, program))
        .FirstOrDefault(File.Exists);
}
