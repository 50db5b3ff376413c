using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// Answers that reach one node late: its lease was renewed when it asked, and has run out, or nearly, when it hears so.
/// Meanwhile others may have its shards, and people still ask it.
/// </summary>
internal sealed class LateRenewals(SimulationRun run, string node)
{
    private readonly SeededRandomness _dice = new(run.Options.Seed ^ StableHash.Of(Guid.Empty, node));
    private TimeSpan _slowUntil;

    private bool HasFaults => run.HasFaults;

    public IShardLeases For(SimulatedProcess process, IShardLeases leases) => new Late(this, process, leases);

    // A line that is slow stays so for a while: whoever hears late that it has lost its shards asks again, and is kept waiting again.
    private TimeSpan Delay()
    {
        var now = run.World.Clock.Elapsed;
        if (!run.HasFaults || run.Options.Nodes.PauseEvery is null || (now >= _slowUntil && !_dice.Chance(0.07)))
            return TimeSpan.Zero;
        if (now >= _slowUntil)
            _slowUntil = now + 3 * SimulationOptions.ShardLease;
        return SimulationOptions.ShardLease * (1.5 * _dice.NextDouble());
    }

    private sealed class Late(LateRenewals late, SimulatedProcess process, IShardLeases leases) : IShardLeases
    {
        // When there are to be no more faults, nobody waits for one that began before.
        private static readonly TimeSpan Step = TimeSpan.FromSeconds(0.5);

        public async ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
        {
            var renewal = await leases.RenewAsync(self, release, cancellationToken);
            for (var left = late.Delay(); left > TimeSpan.Zero && late.HasFaults; left -= Step)
                await Network.DelayAsync(process, left < Step ? left : Step);
            return renewal;
        }

        public ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken) => leases.LeaveAsync(self, cancellationToken);
    }
}
