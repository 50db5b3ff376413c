using Astra.Kernel;
using Astra.Kernel.Journal;

namespace Astra.Simulation;

internal sealed class FaultyJournal(FaultyStore wire, Action crashSender, Action<IReadOnlyList<ShardAppend>, IReadOnlyList<AppendOutcome>> appended) : IJournal
{
    public ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken) => wire.CallAsync(
        async () =>
        {
            var outcomes = await wire.Store.Journal.AppendAsync(appends, CancellationToken.None);
            appended(appends, outcomes);
            return outcomes;
        },
        crashSender);

    public ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken) =>
        wire.CallAsync(() => wire.Store.Journal.ReadTailsAsync(after, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => wire.Store.Journal.ReadGoalAsync(tenant, goal, afterSeq, countMax, CancellationToken.None), crashSender);
}

internal sealed class FaultyLeases(FaultyStore wire, IShardLeases leases, Action crashSender, Action<LeaseRenewal> renewed) : IShardLeases
{
    public ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken) => wire.CallAsync(
        async () =>
        {
            var renewal = await leases.RenewAsync(self, release, CancellationToken.None);
            renewed(renewal);
            return renewal;
        },
        crashSender);

    public async ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken) => await wire.CallAsync(
        async () =>
        {
            await leases.LeaveAsync(self, CancellationToken.None);
            return true;
        },
        crashSender);
}
