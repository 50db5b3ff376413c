using System.Globalization;
using Astra.Tools.Sandboxes.Linux;

namespace Astra.Tools.Sandboxes.Cgroups;

/// <summary>Removes cgroups of runs that are over: this server's own that were still busy, and everything
/// that a dead server left, processes included.</summary>
internal static class CgroupSweep
{
    private static readonly TimeSpan BusyPause = TimeSpan.FromMilliseconds(10);
    private const int BusyTriesMax = 1000;

    /// <summary>At once if it is empty. Dead processes may need a moment to leave it; that is waited for
    /// elsewhere, because nobody should pay for it. Its run is over: what still lives there is killed.</summary>
    public static void Remove(string group)
    {
        if (!TryRemove(group)) _ = RemoveOnceEmptyAsync(group);
    }

    private static async Task RemoveOnceEmptyAsync(string group)
    {
        for (var attempt = 0; attempt < BusyTriesMax; attempt++)
        {
            KillAll(group);
            await Task.Delay(BusyPause);
            if (TryRemove(group)) return;
        }
    }

    private static bool TryRemove(string group)
    {
        try
        {
            Directory.Delete(group);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Everything that servers which no longer live have left in these trees.</summary>
    public static void LeftOvers(CgroupLayout layout)
    {
        foreach (var branch in layout.Branches)
            foreach (var group in Directory.EnumerateDirectories(branch.Base).ToList())
                if (RunName.IsLeftOver(Path.GetFileName(group)))
                    Remove(group);
    }

    private static void KillAll(string group)
    {
        try
        {
            foreach (var pid in File.ReadLines(Path.Combine(group, "cgroup.procs")).ToList())
                _ = Native.KillProcess(int.Parse(pid, CultureInfo.InvariantCulture), Native.Kill);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone in the meantime.
        }
    }
}
