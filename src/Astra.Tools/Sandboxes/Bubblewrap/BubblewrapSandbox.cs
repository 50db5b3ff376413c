using Astra.Tools.Sandboxes.Cgroups;
using Astra.Tools.Sandboxes.Linux;

namespace Astra.Tools.Sandboxes.Bubblewrap;

/// <summary>The process tier: bubblewrap's namespaces, a system call filter, and cgroups where this process
/// may make them.</summary>
internal sealed class BubblewrapSandbox(string bubblewrap, CgroupLayout? cgroups, string? whyNoCgroups)
    : ICheckedSandbox
{
    private readonly byte[] _filter = SeccompFilter.ForNamespaces();

    public SandboxTier Tier => SandboxTier.Process;

    private string TierName => $"bubblewrap, seccomp, {cgroups?.Name ?? "resource limits"}";

    public async ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken ct)
    {
        spec.Check();
        ct.ThrowIfCancellationRequested();
        using var group = cgroups is null ? null : new RunCgroup(cgroups, spec.Limits);
        using var cage = new BubblewrapCage(bubblewrap, spec, _filter, cgroups?.HasMemory == true);
        using var run = new LinuxRun(spec, cage, group);
        var end = await run.RunAsync(ct);

        return LinuxResult.Make(
            this, spec, end, group, new WritableDirectories(cage.Output!, cage.Temporary!, AreBounded: true));
    }

    public SandboxReport Report(IReadOnlyList<MissingProtection> strongerTiers) => new()
    {
        Tier = Tier,
        TierName = TierName,
        Enforced = Enforced,
        Missing = [.. strongerTiers, .. Missing],
        Tried = this,
    };

    private IReadOnlyList<string> Enforced { get; } =
    [
        "user, pid, mount, network, ipc, host name and cgroup namespaces of its own",
        "no capabilities, no new privileges",
        "system call filter",
        "read-only root; only /tmp and /output can be written, both bounded and gone afterwards",
        "no network",
        "an environment of its own",
        "wall time, output bytes, open files, file size",
        .. Bounded(cgroups),
    ];

    private IReadOnlyList<MissingProtection> Missing { get; } = [.. MissingHere(cgroups, whyNoCgroups)];

    private static IEnumerable<string> Bounded(CgroupLayout? cgroups)
    {
        if (cgroups is null)
        {
            yield return "processor time and memory of each process";
            if (Native.EffectiveUser() != 0) yield return "number of processes";
            yield break;
        }
        if (cgroups.HasMemory) yield return "memory of the whole run";
        if (cgroups.HasPids) yield return "number of processes";
        if (cgroups.HasCpu) yield return "processor time of the whole run";
    }

    private static IEnumerable<MissingProtection> MissingHere(CgroupLayout? cgroups, string? whyNot)
    {
        var why = whyNot ?? "this host's cgroups do not account for it";
        if (cgroups?.HasMemory != true)
            yield return new MissingProtection(
                "memory of the whole run", $"each process is limited alone: {why}", CgroupRemedy.Command);
        if (cgroups?.HasCpu != true)
            yield return new MissingProtection(
                "processor time of the whole run", $"each process is limited alone: {why}", CgroupRemedy.Command);
        if (cgroups?.HasPids != true && Native.EffectiveUser() == 0)
            yield return new MissingProtection(
                "number of processes", $"the kernel does not hold root to it: {why}", CgroupRemedy.Command);
        if (Native.EffectiveUser() == 0)
            yield return new MissingProtection(
                "a host account without rights",
                "the server runs as root, so files owned by root among those mounted are the tool's own",
                "useradd --system --create-home astra && sudo -u astra astra up");
    }
}
