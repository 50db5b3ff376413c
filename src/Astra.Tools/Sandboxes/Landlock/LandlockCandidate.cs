using Astra.Tools.Sandboxes.Cgroups;
using Astra.Tools.Sandboxes.Linux;

namespace Astra.Tools.Sandboxes.Landlock;

/// <summary>Whether the Landlock tier can be tried at all.</summary>
internal static class LandlockCandidate
{
    private const string What = "process sandbox (Landlock)";

    public static SandboxCandidate Make(CgroupLayout? cgroups)
    {
        if (!Native.IsSupported) return Never("the system call filter is known for x64 and arm64 only", "uname -m");
        if (!Spawner.CanCloseTheRest) return Never("it takes glibc 2.34 or later", "ldd --version");
        if (LandlockRights.Version == 0)
            return Never(
                "the kernel has no Landlock (Linux 5.13) or it is switched off",
                KernelCommandLine.CommandToAdd("lsm=landlock,lockdown,yama,integrity,apparmor,bpf"));
        if (LauncherCommand.ForThisProcess() is not { } launcher)
            return Never("this process does not know its own executable", "start astra by its path");
        return new SandboxCandidate(
            SandboxTier.Landlock,
            new LandlockSandbox(launcher, cgroups),
            failure => new MissingProtection(What, failure!, "cat /sys/kernel/security/lsm"));
    }

    private static SandboxCandidate Never(string why, string remedy) =>
        new(SandboxTier.Landlock, null, _ => new MissingProtection(What, why, remedy));
}
