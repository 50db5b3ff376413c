using Astra.Tools.Sandboxes.Cgroups;
using Astra.Tools.Sandboxes.Linux;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Landlock;

/// <summary>
/// The tier for hosts without user namespaces: Landlock, the system call filter, no new privileges, resource
/// limits, and cgroups where they can be made. Files and sockets are out of reach, but the tool shares the host's
/// root and process list, and says so in each receipt.
/// </summary>
/// <remarks>Paths are the host's; <see cref="HostPlaces"/> says what is rewritten.</remarks>
internal sealed class LandlockSandbox(LauncherCommand launcher, CgroupLayout? cgroups) : ICheckedSandbox
{
    private const int SignalsVersion = 6;

    private readonly byte[] _filter = SeccompFilter.ForSharedHost();
    private readonly int _version = LandlockRights.Version;

    public SandboxTier Tier => SandboxTier.Landlock;

    private string TierName =>
        $"Landlock {_version}, seccomp, no_new_privs, {cgroups?.Name ?? "resource limits"}; no namespaces";

    public async ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken ct)
    {
        spec.Check();
        ct.ThrowIfCancellationRequested();
        using var scratch = new ScratchDirectory();
        using var group = cgroups is null ? null : new RunCgroup(cgroups, spec.Limits);
        using var cage = new LandlockCage(launcher, Instructions(spec, scratch));
        using var run = new LinuxRun(spec, cage, group);
        var end = await run.RunAsync(ct);

        using var outputs = Open(scratch.Output);
        using var temporaries = Open(scratch.Temporary);
        return LinuxResult.Make(
            this, spec, end, group, new WritableDirectories(outputs, temporaries, AreBounded: false));
    }

    public SandboxReport Report(IReadOnlyList<MissingProtection> strongerTiers) => new()
    {
        Tier = Tier,
        TierName = TierName,
        Enforced = Enforced,
        Missing = [.. strongerTiers, .. Missing],
        Tried = this,
    };

    private IReadOnlyList<string> Enforced =>
    [
        "Landlock: only the mounts and system libraries can be read, only the run's own directories written",
        "no sockets",
        "no capabilities, no new privileges",
        "system call filter",
        "an environment of its own",
        "wall time, output bytes, open files, file size",
        "the process group is killed at the end and cannot be left",
        cgroups is { HasMemory: true } ? "memory of the whole run" : "memory of each process",
        .. cgroups is { HasPids: true } ? (string[])["number of processes"] : [],
        cgroups is { HasCpu: true } ? "processor time of the whole run" : "processor time of each process",
    ];

    private IReadOnlyList<MissingProtection> Missing
    {
        get
        {
            const string namespaces = "sudo sysctl -w user.max_user_namespaces=15000";
            var missing = new List<MissingProtection>
            {
                new("a process list and paths of its own", "there are no namespaces", namespaces),
                new("scratch bytes", "the run's directories are on the host's disk; only single files are bounded",
                    namespaces),
            };
            if (cgroups is not { HasMemory: true, HasPids: true, HasCpu: true })
                missing.Add(new("memory, processor time and number of processes of the whole run",
                    "no cgroups can be made", CgroupRemedy.Command));
            if (_version < SignalsVersion)
                missing.Add(new("signals to other processes of this account",
                    "Landlock can do that from Linux 6.12 on", "uname -r"));
            return missing;
        }
    }

    private LandlockInstructions Instructions(SandboxSpec spec, ScratchDirectory scratch)
    {
        var places = new HostPlaces(spec, scratch);
        return new LandlockInstructions
        {
            Program = places.Program,
            Arguments = [.. places.Arguments],
            Environment = [.. places.Environment.Select(v => $"{v.Key}={v.Value}")],
            Directory = scratch.Temporary,
            Readable = [.. spec.Mounts.Select(m => m.HostPath), .. spec.HostLibraries ? HostLibraries : []],
            Writable = [scratch.Temporary, scratch.Output],
            Limits = spec.Limits,
            HasMemoryGroup = cgroups?.HasMemory == true,
            Filter = _filter,
        };
    }

    private static readonly string[] HostLibraries =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache"];

    private static SafeFileHandle Open(string directory) =>
        Native.OpenDirectory(directory) ?? throw new SandboxFailedException("The run's directory is gone.");
}
