using Astra.Sdk;

namespace Astra.Display;

/// <summary>States, times and counts as words.</summary>
public static class Words
{
    public static string Of(TaskState state) => state switch
    {
        TaskState.Pending => "pending",
        TaskState.Ready => "ready",
        TaskState.Running => "running",
        TaskState.Completed => "completed",
        TaskState.Cancelled => "cancelled",
        _ => "dead",
    };

    public static string Of(GoalState state) => state switch
    {
        GoalState.Active => "active",
        GoalState.Completed => "completed",
        GoalState.Failed => "failed",
        _ => "cancelled",
    };

    /// <summary>As the API and `--role` have it.</summary>
    public static string Of(KeyRole role) => role switch
    {
        KeyRole.PlatformAdmin => "platformAdmin",
        KeyRole.OrgAdmin => "orgAdmin",
        _ => "member",
    };

    public static string Elapsed(TimeSpan time) => time switch
    {
        { TotalSeconds: < 10 } => $"{Math.Max(0, time.TotalSeconds):0.0} s",
        { TotalMinutes: < 1 } => $"{time.TotalSeconds:0} s",
        { TotalHours: < 1 } => $"{(int)time.TotalMinutes} min {time.Seconds:00} s",
        { TotalDays: < 1 } => $"{(int)time.TotalHours} h {time.Minutes:00} min",
        _ => $"{(int)time.TotalDays} d {time.Hours} h",
    };

    public static string At(DateTimeOffset? at) => at is { } instant ? instant.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss") : "";

    /// <summary>`45 of 120 done, 4 running, 1 dead`: states that hold nothing are left out.</summary>
    public static string Of(TaskCounts counts)
    {
        var words = $"{counts.Completed} of {counts.Total} done";
        if (counts.Running > 0)
            words += $", {counts.Running} running";
        if (counts.Ready > 0)
            words += $", {counts.Ready} ready";
        if (counts.Cancelled > 0)
            words += $", {counts.Cancelled} cancelled";
        if (counts.Dead > 0)
            words += $", {counts.Dead} dead";
        return words;
    }

    public static string Size(long bytes) => bytes switch
    {
        < 1 << 20 => $"{bytes / 1024.0:0} KiB",
        < 1L << 30 => $"{bytes / (1024.0 * 1024):0} MiB",
        _ => $"{bytes / (1024.0 * 1024 * 1024):0.0} GiB",
    };
}
