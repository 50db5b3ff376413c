using System.Diagnostics;
using System.Globalization;

namespace Astra.Tools.Sandboxes;

/// <summary>
/// The name of what a run leaves on the host while it lasts: <c>astra-run-PID-STARTED-N</c>, with more behind it
/// where names are made unique. It says which server made it, by process number and by when that process
/// started, because numbers are used again. What belongs to a server that is gone can be removed by anyone who
/// comes later.
/// </summary>
internal static class RunName
{
    private const string Prefix = "astra-run-";

    private static readonly string Mine =
        $"{Prefix}{Environment.ProcessId}-{StartedAt(Environment.ProcessId) ?? "0"}-";

    private static long s_last;

    public static string Next() => Mine + Interlocked.Increment(ref s_last).ToString(CultureInfo.InvariantCulture);

    /// <summary>It is a run's, and the server that made it is dead.</summary>
    public static bool IsLeftOver(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var parts = name[Prefix.Length..].Split('-');
        return parts.Length >= 3
               && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var pid)
               && StartedAt(pid) != parts[1];
    }

    private static string? StartedAt(int pid)
    {
        try
        {
            if (!OperatingSystem.IsLinux())
                return Process.GetProcessById(pid).StartTime.Ticks.ToString(CultureInfo.InvariantCulture);
            // The command in parentheses may itself contain spaces and parentheses; the start is the 22nd field.
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        }
        catch (Exception e) when (e is IOException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }
}
