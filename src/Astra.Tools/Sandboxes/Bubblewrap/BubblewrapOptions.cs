using System.Globalization;
using System.Text;

namespace Astra.Tools.Sandboxes.Bubblewrap;

/// <summary>
/// What bubblewrap is told. It reads this from a pipe and starts with an empty environment, because it is
/// process 1 inside: its environment and its command line can be read there.
/// </summary>
internal static class BubblewrapOptions
{
    private const string User = "1000";

    // Terminals are left out, /dev/ptmx included, and so is /dev/shm, which would be a third place to write to.
    private static readonly string[] Devices = ["null", "zero", "full", "random", "urandom"];

    // Merged into /usr on current distributions and directories of their own on older ones.
    private static readonly string[] BesideUsr = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

    /// <summary>Programs ask who they are and give up when nobody knows.</summary>
    public static ReadOnlySpan<byte> Accounts => "tool:x:1000:1000::/tmp:/bin/sh\n"u8;

    public static byte[] For(SandboxSpec spec)
    {
        // First of all the options that make it wait for us. Should this server die while it writes, what
        // arrived is all there is; a cage without a filter must not come to stand then, and it does not,
        // because the filter's pipe ends empty.
        var options = new List<string>
        {
            "--seccomp", Number(BubblewrapCage.FilterDescriptor), "--info-fd", Number(BubblewrapCage.InfoDescriptor),
            "--block-fd", Number(BubblewrapCage.StandsDescriptor),
            "--unshare-all", "--unshare-user", "--uid", User, "--gid", User, "--hostname", "sandbox",
            "--cap-drop", "ALL", "--new-session", "--die-with-parent",
        };
        if (spec.HostLibraries) AddHostLibraries(options);
        // Read-only, all of it. The kernel's settings under /proc/sys ask for the account of root and not for a
        // capability: a tool of a server that runs as root could name the program that handles core dumps, and
        // the host's kernel would run it.
        options.AddRange(["--proc", "/proc", "--remount-ro", "/proc", "--dir", "/dev"]);
        foreach (var device in Devices) options.AddRange(["--dev-bind", "/dev/" + device, "/dev/" + device]);
        options.AddRange([
            "--symlink", "/proc/self/fd", "/dev/fd", "--symlink", "/proc/self/fd/0", "/dev/stdin",
            "--symlink", "/proc/self/fd/1", "/dev/stdout", "--symlink", "/proc/self/fd/2", "/dev/stderr",
        ]);
        foreach (var mount in spec.Mounts) options.AddRange(["--ro-bind", mount.HostPath, mount.InsidePath]);
        options.AddRange(["--file", Number(BubblewrapCage.AccountsDescriptor), "/etc/passwd"]);
        foreach (var writable in (string[])["/tmp", "/output"])
            options.AddRange(["--size", Number(spec.Limits.ScratchBytes), "--tmpfs", writable]);
        options.AddRange(["--remount-ro", "/", "--chdir", "/tmp"]);
        foreach (var (name, value) in spec.Environment) options.AddRange(["--setenv", name, value]);
        return Encoding.UTF8.GetBytes(string.Join('\0', options) + "\0");
    }

    private static void AddHostLibraries(List<string> options)
    {
        options.AddRange(["--ro-bind", "/usr", "/usr"]);
        foreach (var name in BesideUsr)
        {
            var directory = new DirectoryInfo("/" + name);
            if (!directory.Exists) continue;
            if (directory.LinkTarget is { } target) options.AddRange(["--symlink", target.TrimStart('/'), "/" + name]);
            else options.AddRange(["--ro-bind", "/" + name, "/" + name]);
        }
        options.AddRange(["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]);
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
