using Astra.Kernel.Workers;

namespace Astra.Kernel.Tasks;

/// <summary>A worker's hold on one attempt, in the memory of the shard's owner. After a takeover the worker is known by
/// its id only, until it heartbeats here.</summary>
internal sealed class TaskLease(WorkerId workerId, IWorker? worker, TimeSpan now, TimeSpan duration)
{
    public WorkerId WorkerId { get; } = workerId;
    public IWorker? Worker { get; } = worker;

    /// <summary>Not since a takeover: that its worker is silent then says nothing about what it was doing.</summary>
    public bool HasBeenHeard { get; set; } = worker is not null;

    /// <summary>On the owner's monotonic clock, as is the next.</summary>
    public TimeSpan RenewedAt { get; private set; } = now;

    public TimeSpan Until { get; private set; } = now + duration;

    public void Renew(TimeSpan at, TimeSpan duration) => (RenewedAt, Until) = (at, at + duration);
}
