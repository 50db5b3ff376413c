using System.Runtime.InteropServices;
using System.Text;
using Astra.Tools.Sandboxes.Bubblewrap;
using Astra.Tools.Sandboxes.Cgroups;
using Astra.Tools.Sandboxes.Landlock;
using Astra.Tools.Sandboxes.Mac;

namespace Astra.Tools.Sandboxes;

/// <summary>
/// Finds out what this machine enforces by trying: a program must run inside, and escapes must fail. That a
/// program or a kernel interface exists proves nothing; hosts and containers take rights away in more ways than
/// anyone can list.
/// </summary>
public static class SandboxProbe
{
    private const string Greeting = "hello";

    private static readonly SandboxLimits Limits = new() { Wall = TimeSpan.FromSeconds(10) };

    // Only what the shell can do by itself, so that nothing has to be installed. Each escape that succeeds says
    // its name; "$1" is a file of the host.
    private const string EscapesScript =
        """
        exec 2>/dev/null
        [ -r "$1" ] && echo "reads files of the host"
        (: >> /usr/.astra-probe) && echo "writes to the root"
        (: >> /proc/sys/kernel/core_pattern) && echo "changes settings of the kernel"
        read -r line < /proc/1/environ
        [ -n "$line" ] && echo "reads the environment of process 1"
        while read -r line; do
            case "$line" in lo:*|*\|*) ;; *) echo "sees the network of the host" ;; esac
        done < /proc/net/dev
        echo hello
        """;

    /// <param name="only">The one tier to try; null tries from the strongest down.</param>
    public static async ValueTask<SandboxReport> RunAsync(SandboxTier? only, CancellationToken ct)
    {
        var missing = new List<MissingProtection>();
        foreach (var candidate in Candidates())
        {
            if (only is not null && candidate.Tier != only) continue;
            var failure = candidate.Sandbox is null ? null : await FailureAsync(candidate.Sandbox, ct);
            if (candidate.Sandbox is not null && failure is null) return candidate.Sandbox.Report(missing);
            missing.Add(candidate.Missing(failure));
        }
        if (missing.Count == 0)
            missing.Add(new MissingProtection(
                "a sandbox", $"there is no tier '{only}' for {RuntimeInformation.OSDescription}", "run astra on Linux"));
        return new SandboxReport { Tier = SandboxTier.None, TierName = "none", Enforced = [], Missing = missing };
    }

    private static IEnumerable<SandboxCandidate> Candidates()
    {
        if (OperatingSystem.IsLinux())
        {
            var cgroups = CgroupLayout.Discover(out var whyNot);
            if (cgroups is not null) CgroupSweep.LeftOvers(cgroups);
            ScratchDirectory.SweepLeftOvers();
            yield return BubblewrapCandidate.Make(cgroups, whyNot);
            yield return LandlockCandidate.Make(cgroups);
        }
        if (OperatingSystem.IsMacOS())
        {
            ScratchDirectory.SweepLeftOvers();
            yield return new SandboxCandidate(
                SandboxTier.MacProfile,
                File.Exists(MacSandbox.Launcher) ? new MacSandbox() : null,
                failure => new MissingProtection(
                    "sandbox-exec profile",
                    failure ?? $"{MacSandbox.Launcher} is missing",
                    "softwareupdate --install --all"));
        }
    }

    /// <summary>Null when a program runs inside and no escape succeeds.</summary>
    private static async ValueTask<string?> FailureAsync(ICheckedSandbox sandbox, CancellationToken ct)
    {
        var bait = Path.Combine(Path.GetTempPath(), RunName.Next());
        try
        {
            await File.WriteAllTextAsync(bait, "bait", ct);
            var arguments = (string[])["-c", EscapesScript, "sh", bait];
            var result = await sandbox.RunAsync(
                new SandboxSpec { Program = "/bin/sh", Arguments = arguments, Limits = Limits }, ct);
            var said = Encoding.UTF8.GetString(result.Output.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (said is [Greeting] && result.Receipt.ExitCode == 0) return null;
            return said is [.. var escapes, Greeting]
                ? $"a program inside {string.Join(" and ", escapes)}"
                : $"a shell does not run inside (exit {result.Receipt.ExitCode}, signal {result.Receipt.Signal}) "
                  + Encoding.UTF8.GetString(result.Error.Span).Trim();
        }
        catch (Exception e) when (e is SandboxFailedException or IOException)
        {
            return e.Message;
        }
        finally
        {
            File.Delete(bait);
        }
    }
}

/// <summary>A sandbox that knows what it enforces, before it is known to work.</summary>
internal interface ICheckedSandbox : ISandbox
{
    SandboxReport Report(IReadOnlyList<MissingProtection> strongerTiers);
}

/// <summary>A tier to try. Without a sandbox something is missing before the first try.</summary>
internal sealed record SandboxCandidate(
    SandboxTier Tier, ICheckedSandbox? Sandbox, Func<string?, MissingProtection> Missing);
