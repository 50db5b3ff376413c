using System.Globalization;

namespace Astra.Tools.Sandboxes.Cgroups;

/// <summary>
/// Makes a v2 cgroup hand its controllers down to the runs. The kernel refuses that while processes live in
/// the cgroup itself, so those move into a child of their own first, as systemd expects of whoever it
/// delegates a cgroup to.
/// </summary>
internal static class CgroupDelegation
{
    private const string Home = "astra-server";
    private const string Wanted = "+memory +pids";

    public static void Take(string group)
    {
        var control = Path.Combine(group, "cgroup.subtree_control");
        var given = File.ReadAllText(control).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (given.Contains("memory") && given.Contains("pids")) return;
        try
        {
            File.WriteAllText(control, Wanted);
        }
        catch (IOException)
        {
            MoveIn(group, Path.Combine(group, Home));
            File.WriteAllText(control, Wanted);
        }
    }

    private static void MoveIn(string group, string home)
    {
        Directory.CreateDirectory(home);
        foreach (var pid in File.ReadLines(Path.Combine(group, "cgroup.procs")).ToList())
            try
            {
                CgroupBranch.Set(home, "cgroup.procs", pid);
            }
            catch (IOException) when (!Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}")))
            {
                // It ended in between.
            }
    }
}
