using System.Data.Common;
using Astra.Gateway;
using Astra.Kernel;
using Astra.Tools.Webhooks;

namespace Astra.Hosting;

/// <summary>Notices as lines of the server's log: ids and kinds, and nothing of a tenant's content.</summary>
internal static class Notices
{
    public static string Sentence(KernelNotice notice) => notice switch
    {
        KernelNotice.ShardLost lost => $"shard {lost.Shard}: {lost.Reason}",
        KernelNotice.RenewalFailed failed => $"the lease of this node's shards was not renewed: {failed.Reason}",
        KernelNotice.LoadFailed failed => $"some shards could not be loaded and will be tried again: {failed.Reason}",
        KernelNotice.ProjectionDelayed delayed => $"the tables are behind the log: {delayed.Reason}",
        KernelNotice.NodeFailed failed =>
            $"This node has given itself up and stops, because {failed.Actor} failed beyond repair: {failed.Reason.TrimEnd('.')}. "
            + "Start it again; a service manager does that by itself.",
        KernelNotice.ActorCommanded command => $"actor {command.Path}: {command.Command}, asked for by {command.By}",
        KernelNotice.ControlsNotRead unread => $"limits, weights and pauses could not be read anew, and stay as they were: {unread.Reason}",
        KernelNotice.SchedulesDelayed delayed => $"schedules could not be looked at, and will be in a second: {delayed.Reason}",
        _ => notice.ToString(),
    };

    public static LogIds Ids(KernelNotice notice) => notice switch
    {
        KernelNotice.ShardLost lost => new LogIds { Shard = lost.Shard.Value },
        KernelNotice.ActorCommanded command => new LogIds { Actor = command.Path },
        KernelNotice.NodeFailed failed => new LogIds { Actor = failed.Actor },
        _ => default,
    };

    /// <summary>What the tables have against it is its tenant's to read.</summary>
    public static string Quarantined(GoalId goal) => $"goal {goal} is in quarantine, its rows are not kept up; see `astra goal quarantine list`";

    public static LogIds Ids(CourierNotice notice) => new() { Tenant = notice.About?.Tenant.Value, Hook = notice.About?.Hook.Value, Message = notice.About?.Id };

    /// <summary>A mistake by its kind: its message may repeat what somebody sent.</summary>
    public static string KindOf(Exception error) => error switch
    {
        DbException { SqlState: { } state } => $"{error.GetType().Name}, SQLSTATE {state}",
        { InnerException: { } inner } => $"{error.GetType().Name} of {inner.GetType().Name}",
        _ => error.GetType().Name,
    } + "; `--verbose` says more";
}
