namespace Astra.Hosting;

public enum CheckOutcome { Fine, Poor, Bad }

/// <param name="Says">What was found.</param>
/// <param name="WhatToDo">What to type or change; null when nothing needs to be.</param>
public sealed record CheckFinding(string Name, CheckOutcome Outcome, string Says, string? WhatToDo = null);

/// <summary>What this machine offers, read from files: no program is started to find out.</summary>
public static class MachineChecks
{
    private const int PostgresMajorMin = 15;
    private const long FreeBytesMin = 1L << 30;

    public static IEnumerable<CheckFinding> All(DataDirectory data, bool hasDatabase, Func<string, string?> environment)
    {
        yield return Runtime();
        yield return Postgres(hasDatabase, environment);
        if (OperatingSystem.IsLinux())
        {
            yield return Bubblewrap(environment);
            yield return UserNamespaces();
            yield return Landlock();
            yield return Cgroups();
        }

        yield return DataDirectoryFit(data);
        yield return Disk(data);
    }

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

    private static CheckFinding Bubblewrap(Func<string, string?> environment) => OnPath("bwrap", environment) is { } path
        ? new("bubblewrap", CheckOutcome.Fine, path)
        : new("bubblewrap", CheckOutcome.Bad, "missing; programs cannot be caged without it", "sudo apt-get install bubblewrap, or let ./astra do it");

    private static CheckFinding UserNamespaces()
    {
        if (Environment.IsPrivilegedProcess)
            return new("user namespaces", CheckOutcome.Fine, "not needed as root");
        if (Read("/proc/sys/kernel/unprivileged_userns_clone") == "0")
            return new("user namespaces", CheckOutcome.Bad, "forbidden to users, so nothing can be caged", "sudo sysctl -w kernel.unprivileged_userns_clone=1");
        if (Read("/proc/sys/user/max_user_namespaces") == "0")
            return new("user namespaces", CheckOutcome.Bad, "none are allowed, so nothing can be caged", "sudo sysctl -w user.max_user_namespaces=10000");
        return Read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
            ? new("user namespaces", CheckOutcome.Poor, "AppArmor restricts them; bubblewrap needs a profile that allows them",
                "if tools fail to start: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
            : new("user namespaces", CheckOutcome.Fine, "allowed");
    }

    private static CheckFinding Landlock() => Read("/sys/kernel/security/lsm") switch
    {
        null => new("landlock", CheckOutcome.Poor, "cannot be seen from here; Astra tries it when it starts"),
        var modules when modules.Split(',').Contains("landlock") => new("landlock", CheckOutcome.Fine, "on"),
        _ => new("landlock", CheckOutcome.Poor, "off; cages hold without it, with one wall less", "add landlock to the kernel's lsm= boot parameter"),
    };

    private static CheckFinding Cgroups() => File.Exists("/sys/fs/cgroup/cgroup.controllers")
        ? new("cgroups", CheckOutcome.Fine, "version 2")
        : new("cgroups", CheckOutcome.Poor, "no version 2 here; limits on memory and processes are then per process", "boot with systemd.unified_cgroup_hierarchy=1");

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

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
