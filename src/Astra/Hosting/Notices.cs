using Astra.Kernel;

namespace Astra.Hosting;

/// <summary>The kernel's notices as lines of the server's log.</summary>
internal static class Notices
{
    public static string Sentence(KernelNotice notice) => notice switch
    {
        KernelNotice.ShardLost lost => $"shard {lost.Shard}: {lost.Reason}",
        KernelNotice.RenewalFailed failed => $"the lease of this node's shards was not renewed: {failed.Reason}",
        KernelNotice.ProjectionDelayed delayed => $"the tables are behind the log: {delayed.Reason}",
        KernelNotice.GoalQuarantined goal => $"goal {goal.Goal} is in quarantine, its rows are not kept up: {goal.Reason}",
        _ => notice.ToString(),
    };
}
