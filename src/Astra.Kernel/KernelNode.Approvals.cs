using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>The desk for what people have to agree to.</summary>
public sealed partial class KernelNode
{
    /// <summary>Takes somebody's yes or no to a task that waits for approval. Whether the caller may vote at all has been looked at.</summary>
    /// <param name="digest">What was looked at; see <see cref="Approvals.Approval.DigestOf"/>. A task that is something else by now takes no vote.</param>
    public ValueTask<Answer<TaskRow>> VoteAsync(Caller caller, TaskId task, bool isFor, string digest, string? reason) =>
        OnTaskAsync(caller.Tenant, task, new ShardRequest.Vote(caller, task, isFor, digest, string.IsNullOrWhiteSpace(reason) ? null : Clean(reason)));

    /// <summary>Tasks that wait for people's votes, newest first.</summary>
    public async ValueTask<Answer<IReadOnlyList<TitledTask>>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax) =>
        await CatchUpAsync() is { } refusal ? refusal : await FromDatabaseAsync(
            () => _ports.Projection.ListApprovalsAsync(tenant, after, countMax, CancellationToken.None));
}
