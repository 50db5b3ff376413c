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
        KernelNotice.ActorCommanded command => $"actor {command.Path}: {command.Command}, asked for by {command.By}",
        KernelNotice.ActorGivenUp actor => $"actor {actor.Path} cannot live and is not started again; restart this server: {actor.Reason}",
        KernelNotice.GoalQuarantined goal => $"goal {goal.Goal} is in quarantine, its rows are not kept up: {goal.Reason}",
        _ => notice.ToString(),
    };

    public static LogIds Ids(KernelNotice notice) => notice switch
    {
        KernelNotice.ShardLost lost => new LogIds { Shard = lost.Shard.Value },
        KernelNotice.ActorCommanded command => new LogIds { Actor = command.Path },
        KernelNotice.ActorGivenUp actor => new LogIds { Actor = actor.Path },
        KernelNotice.GoalQuarantined goal => new LogIds { Goal = goal.Goal.Value, Shard = goal.Goal.Shard.Value },
        _ => default,
    };
}
