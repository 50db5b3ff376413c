using System.Runtime.InteropServices;

namespace Astra.Chaos.Processes;

/// <summary>Begins this program anew in a mount namespace of its own, where root may do that: what a run mounts is seen by
/// nobody else, and nothing of it is left however the run ends.</summary>
internal static partial class Apart
{
    private const string Mark = "CHAOS_APART";

    public static void Enter(string[] args)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || Environment.GetEnvironmentVariable(Mark) is not null
            || Starter.Find("unshare") is not { } unshare || Starter.Find("env") is not { } env)
            return;
        string?[] words = [unshare, "--mount", "--propagation", "private", env, $"{Mark}=1", Environment.ProcessPath, .. args, null];
        // Where it is not allowed, whoever tries says so; then it goes on as it is.
        if (IsAllowed(unshare))
            execv(unshare, words);
    }

    private static bool IsAllowed(string unshare)
    {
        using var trial = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(unshare, ["--mount", "--propagation", "private", "true"]) { RedirectStandardError = true, UseShellExecute = false });
        trial!.WaitForExit();
        return trial.ExitCode == 0;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int execv(string path, string?[] words);
}
