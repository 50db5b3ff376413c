using System.Globalization;

namespace Astra.Tools.Sandboxes.Cgroups;

/// <summary>
/// The cgroup of one run. Never used twice: processes of the last run that are still being buried count
/// against the next one, and its first fork would fail.
/// </summary>
internal sealed class RunCgroup : IDisposable
{
    private readonly CgroupLayout _layout;
    private readonly string _name;

    public RunCgroup(CgroupLayout layout, SandboxLimits limits)
    {
        _layout = layout;
        _name = RunName.Next();
        try
        {
            foreach (var branch in layout.Branches)
            {
                Directory.CreateDirectory(PathIn(branch));
                branch.Limit(PathIn(branch), limits);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw new SandboxFailedException($"The run's cgroup could not be made: {e.Message}", e);
        }
    }

    public void Add(int pid)
    {
        foreach (var branch in _layout.Branches)
            CgroupBranch.Set(PathIn(branch), "cgroup.procs", pid.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Null when no tree accounts for processor time.</summary>
    public TimeSpan? CpuUsed()
    {
        if (_layout.Branches.FirstOrDefault(b => b.Cpu) is not { } branch) return null;
        return branch.IsUnified
            ? TimeSpan.FromMicroseconds(Field(branch, "cpu.stat", "usage_usec") ?? 0)
            : TimeSpan.FromMicroseconds(Number(branch, "cpuacct.usage") / 1000d ?? 0);
    }

    /// <summary>Null when the kernel does not keep the peak (v2 before 5.19), or nothing accounts for memory.</summary>
    public long? MemoryPeak() =>
        _layout.Branches.FirstOrDefault(b => b.Memory) is { } branch
            ? Number(branch, branch.IsUnified ? "memory.peak" : "memory.max_usage_in_bytes")
            : null;

    public IEnumerable<SandboxLimit> LimitsHit()
    {
        foreach (var branch in _layout.Branches)
        {
            var memory = branch.IsUnified ? "memory.events" : "memory.oom_control";
            if (branch.Memory && Field(branch, memory, "oom_kill") > 0) yield return SandboxLimit.Memory;
            if (branch.Pids && Field(branch, "pids.events", "max") > 0) yield return SandboxLimit.Pids;
        }
    }

    /// <summary>The run is dead. The kernel may need a moment to bury it; a cgroup that is still busy is left
    /// for the next sweep.</summary>
    public void Dispose()
    {
        foreach (var branch in _layout.Branches) CgroupSweep.Remove(PathIn(branch));
    }

    private string PathIn(CgroupBranch branch) => Path.Combine(branch.Base, _name);

    private long? Number(CgroupBranch branch, string file) =>
        long.TryParse(Text(branch, file).AsSpan().Trim(), CultureInfo.InvariantCulture, out var value) ? value : null;

    private long? Field(CgroupBranch branch, string file, string field)
    {
        foreach (var line in Text(branch, file).Split('\n'))
            if (line.StartsWith(field + " ", StringComparison.Ordinal))
                return long.Parse(line.AsSpan(field.Length + 1), CultureInfo.InvariantCulture);
        return null;
    }

    private string Text(CgroupBranch branch, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(PathIn(branch), file));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
