using Astra.Tools.Sandboxes.Cgroups;
using Astra.Tools.Sandboxes.Linux;

namespace Astra.Tools.Sandboxes.Bubblewrap;

/// <summary>Whether the process tier can be tried at all, and the command that helps when it does not work.</summary>
internal static class BubblewrapCandidate
{
    private const string What = "process sandbox (bubblewrap)";

    public static SandboxCandidate Make(CgroupLayout? cgroups, string? whyNoCgroups)
    {
        if (!Native.IsSupported) return Never("the system call filter is known for x64 and arm64 only", "uname -m");
        if (!Spawner.CanCloseTheRest) return Never("it takes glibc 2.34 or later", "ldd --version");
        if (Find() is not { } bubblewrap) return Never("bubblewrap is not installed", InstallCommand());
        return new SandboxCandidate(
            SandboxTier.Process,
            new BubblewrapSandbox(bubblewrap, cgroups, whyNoCgroups),
            failure => new MissingProtection(What, failure!, NamespaceRemedy()));
    }

    private static SandboxCandidate Never(string why, string remedy) =>
        new(SandboxTier.Process, null, _ => new MissingProtection(What, why, remedy));

    // Not through PATH: that is set by whoever starts the server, and this program gets to see every tool.
    private static string? Find() =>
        ((string[])["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"]).FirstOrDefault(File.Exists);

    private static string InstallCommand() => true switch
    {
        _ when File.Exists("/usr/bin/apt-get") => "sudo apt-get install -y bubblewrap",
        _ when File.Exists("/usr/bin/dnf") => "sudo dnf install -y bubblewrap",
        _ when File.Exists("/usr/bin/zypper") => "sudo zypper install -y bubblewrap",
        _ when File.Exists("/usr/bin/pacman") => "sudo pacman -S --noconfirm bubblewrap",
        _ when File.Exists("/sbin/apk") => "sudo apk add bubblewrap",
        _ => "install bubblewrap 0.7 or later from your distribution",
    };

    // The switches with which distributions take user namespaces away from ordinary accounts.
    private static string NamespaceRemedy()
    {
        if (Setting("/proc/sys/user/max_user_namespaces") == "0")
            return "sudo sysctl -w user.max_user_namespaces=15000";
        if (Setting("/proc/sys/kernel/unprivileged_userns_clone") == "0")
            return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
        if (Setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
            return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
        return File.Exists("/.dockerenv")
            ? "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined ..."
            : "bwrap --unshare-all --ro-bind / / true";
    }

    private static string? Setting(string file) => File.Exists(file) ? File.ReadAllText(file).Trim() : null;
}
