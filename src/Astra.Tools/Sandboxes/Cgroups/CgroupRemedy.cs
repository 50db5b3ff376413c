using Astra.Tools.Sandboxes.Linux;

namespace Astra.Tools.Sandboxes.Cgroups;

/// <summary>The command with which this account gets cgroups of its own.</summary>
internal static class CgroupRemedy
{
    public static string Command => true switch
    {
        _ when Native.EffectiveUser() == 0 => "mount -o remount,rw /sys/fs/cgroup",
        _ when IsUnified => "systemd-run --user --scope -p Delegate=yes astra up",
        _ => KernelCommandLine.CommandToAdd("systemd.unified_cgroup_hierarchy=1"),
    };

    // The v1 hierarchies cannot be handed to an ordinary account safely; the unified one is made for it.
    private static bool IsUnified => File.Exists("/sys/fs/cgroup/cgroup.controllers");
}
