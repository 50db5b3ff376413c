using Astra.Gateway;
using Astra.Kernel;

namespace Astra.Hosting;

/// <summary>The kernel's notices as lines of the server's log.</summary>
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
        KernelNotice.GoalQuarantined goal => $"goal {goal.Goal} is in quarantine, its rows are not kept up: {goal.Reason}. See `astra goal quarantine list`",
        KernelNotice.ControlsNotRead unread => $"limits, weights and pauses could not be read anew, and stay as they were: {unread.Reason}",
        KernelNotice.SchedulesDelayed delayed => $"schedules could not be looked at, and will be in a second: {delayed.Reason}",
        _ => notice.ToString(),
    };

    public static LogIds Ids(KernelNotice notice) => notice switch
    {
        KernelNotice.ShardLost lost => new LogIds { Shard = lost.Shard.Value },
        KernelNotice.ActorCommanded command => new LogIds { Actor = command.Path },
        KernelNotice.NodeFailed failed => new LogIds { Actor = failed.Actor },
        KernelNotice.GoalQuarantined goal => new LogIds { Goal = goal.Goal.Value, Shard = goal.Goal.Shard.Value },
        _ => default,
    };
}
