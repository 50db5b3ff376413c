using System.Runtime.InteropServices;

namespace Astra.Chaos.Processes;

/// <summary>Begins this program anew in a mount and a network namespace of its own, where root may do that: what a run mounts, and
/// what it does to ports, is seen by nobody else, and nothing of it is left however the run ends.</summary>
internal static partial class Apart
{
    private const string Mark = "CHAOS_APART";

    private const string WithNetwork = "mount,net";

    private static readonly string[] Mounts = ["--mount", "--propagation", "private"];
    private static readonly string[] MountsAndNetwork = [.. Mounts, "--net"];

    /// <summary>Whether this run's network is its own.</summary>
    public static bool HasNetwork => Environment.GetEnvironmentVariable(Mark) == WithNetwork;

    public static void Enter(string[] args)
    {
        if (HasNetwork)
            Network.RaiseLoopback();
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || Environment.GetEnvironmentVariable(Mark) is not null
            || Starter.Find("unshare") is not { } unshare || Starter.Find("env") is not { } env)
            return;
        // Where it is not allowed, whoever tries says so; then it goes on as it is.
        if (IsAllowed(unshare, MountsAndNetwork))
            Begin(MountsAndNetwork, WithNetwork);
        else if (IsAllowed(unshare, Mounts))
            Begin(Mounts, "mount");

        void Begin(string[] options, string mark) =>
            execv(unshare, [unshare, .. options, env, $"{Mark}={mark}", Environment.ProcessPath, .. args, null]);
    }

    private static bool IsAllowed(string unshare, string[] options)
    {
        using var trial = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(unshare, [.. options, "true"]) { RedirectStandardError = true, UseShellExecute = false });
        trial!.WaitForExit();
        return trial.ExitCode == 0;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int execv(string path, string?[] words);
}
