using System.Globalization;

namespace Astra.Tools.Sandboxes.Cgroups;

/// <summary>
/// Where this process may make cgroups, for each of the three things a run is held to: memory, number of
/// processes, processor time. They are in one tree on a v2 host and in three on a v1 or hybrid one.
/// </summary>
internal sealed record CgroupLayout(IReadOnlyList<CgroupBranch> Branches, string Name)
{
    private const string MemoryController = "memory", PidsController = "pids";

    public bool HasMemory => Branches.Any(b => b.Memory);

    public bool HasPids => Branches.Any(b => b.Pids);

    public bool HasCpu => Branches.Any(b => b.Cpu);

    /// <summary>Finds the writable trees by making, and removing, a cgroup in each.</summary>
    /// <param name="whyNot">What stands in the way of the first tree that cannot be used; null when all can.</param>
    public static CgroupLayout? Discover(out string? whyNot)
    {
        whyNot = null;
        var branches = new List<CgroupBranch>();
        try
        {
            var mounts = CgroupMount.Read();
            var own = OwnPaths();
            var unified = mounts.FirstOrDefault(m => m.Controllers is null);
            if (unified is not null && own.TryGetValue("", out var path) && Offers(unified, MemoryController))
            {
                var branch = new CgroupBranch(
                    unified.Locate(path), IsUnified: true, Memory: true, Pids: true, Cpu: true);
                CgroupDelegation.Take(branch.Base);
                branches.Add(branch);
            }
            else
            {
                foreach (var mount in mounts.Where(m => m.Controllers is not null))
                {
                    var branch = new CgroupBranch(
                        mount.Locate(own.GetValueOrDefault(mount.Controllers![0], "/")),
                        IsUnified: false,
                        Memory: mount.Controllers.Contains(MemoryController),
                        Pids: mount.Controllers.Contains(PidsController),
                        Cpu: mount.Controllers.Contains("cpuacct"));
                    if (branch is { Memory: false, Pids: false, Cpu: false }) continue;
                    branches.Add(branch);
                }
            }
            foreach (var branch in branches) TryOne(branch);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            whyNot = e.Message;
            return null;
        }
        if (branches.Count == 0)
        {
            whyNot = "no cgroup file system is mounted";
            return null;
        }
        return new CgroupLayout(branches, branches[0].IsUnified ? "cgroup v2" : "cgroup v1");
    }

    // On a hybrid host the unified tree is there and the controllers are elsewhere.
    private static bool Offers(CgroupMount unified, string controller) =>
        File.ReadAllText(Path.Combine(unified.Point, "cgroup.controllers")).Split([' ', '\n']).Contains(controller);

    private static void TryOne(CgroupBranch branch)
    {
        var trial = Path.Combine(branch.Base, RunName.Next());
        Directory.CreateDirectory(trial);
        try
        {
            branch.Limit(trial, new SandboxLimits());
        }
        finally
        {
            Directory.Delete(trial);
        }
    }

    // Lines of "4:memory:/path", or "0::/path" for the unified tree; one line may name several controllers.
    private static Dictionary<string, string> OwnPaths()
    {
        var paths = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines("/proc/self/cgroup"))
        {
            var parts = line.Split(':', 3);
            foreach (var controller in parts[1].Split(',')) paths[controller] = parts[2];
        }
        return paths;
    }
}

/// <summary>One tree of cgroups and what it accounts for.</summary>
internal sealed record CgroupBranch(string Base, bool IsUnified, bool Memory, bool Pids, bool Cpu)
{
    /// <summary>Writes the limits of a run into a cgroup that is still empty.</summary>
    public void Limit(string group, SandboxLimits limits)
    {
        if (Memory)
        {
            var bytes = limits.MemoryBytes.ToString(CultureInfo.InvariantCulture);
            Set(group, IsUnified ? "memory.max" : "memory.limit_in_bytes", bytes);
            // Memory that was swapped out is still memory used. A machine without swap has no such file.
            SetIfThere(group, IsUnified ? "memory.swap.max" : "memory.memsw.limit_in_bytes", IsUnified ? "0" : bytes);
            if (IsUnified) SetIfThere(group, "memory.oom.group", "1");
        }
        if (Pids)
            Set(group, "pids.max",
                (limits.Pids + Linux.ResourceLimits.CageProcesses).ToString(CultureInfo.InvariantCulture));
    }

    public static void Set(string group, string file, string value) =>
        File.WriteAllText(Path.Combine(group, file), value);

    private static void SetIfThere(string group, string file, string value)
    {
        if (File.Exists(Path.Combine(group, file))) Set(group, file, value);
    }
}

/// <summary>A mounted cgroup file system. Without controllers it is the unified one.</summary>
internal sealed record CgroupMount(string Point, string Root, IReadOnlyList<string>? Controllers)
{
    // "36 35 98:0 /root /point options - cgroup source rw,memory": the root matters in a container, where
    // only a part of the host's tree is mounted.
    public static IReadOnlyList<CgroupMount> Read() =>
    [
        .. from line in File.ReadLines("/proc/self/mountinfo")
           let halves = line.Split(" - ", 2)
           let left = halves[0].Split(' ')
           let right = halves[1].Split(' ')
           where right[0] is "cgroup" or "cgroup2"
           select new CgroupMount(left[4], left[3], right[0] == "cgroup2" ? null : right[^1].Split(',')),
    ];

    /// <summary>The directory of a path that /proc reports, or the top of what is mounted if it is not below.</summary>
    public string Locate(string path)
    {
        var below = Root != "/" && path.StartsWith(Root, StringComparison.Ordinal) ? path[Root.Length..] : path;
        var directory = Path.Join(Point, below).TrimEnd('/');
        return Directory.Exists(directory) ? directory : Point;
    }
}
