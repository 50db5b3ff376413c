using Astra.Kernel;

namespace Astra.Tools.Webhooks;

/// <summary>
/// Hooks, what there is to tell, and the outbox: a message is there from the transaction that made its event until the
/// receiver has taken it or its tries are used up. Any node may send any message; each is taken by one at a time.
/// </summary>
public interface IHookStore
{
    /// <summary>False when the tenant has as many as it may.</summary>
    ValueTask<bool> AddAsync(Hook hook, ReadOnlyMemory<byte> sealedSecret, int countMax, CancellationToken cancellationToken);

    /// <summary>The oldest first.</summary>
    ValueTask<IReadOnlyList<HookStanding>> ListAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>The latest messages of a hook, the newest first.</summary>
    ValueTask<IReadOnlyList<HookMessage>> ListMessagesAsync(TenantId tenant, HookId hook, int countMax, CancellationToken cancellationToken);

    /// <summary>With everything that waits for it. False when the tenant has no such hook.</summary>
    ValueTask<bool> RemoveAsync(TenantId tenant, HookId hook, CancellationToken cancellationToken);

    ValueTask<IReadOnlyList<FailureEvent>> ListEventsAsync(TenantId tenant, long after, int countMax, CancellationToken cancellationToken);

    /// <summary>Makes an event of every cause that has become a group since the last time, with a message for each hook that
    /// wants it, in one transaction; every death is looked at once, by one node.</summary>
    /// <returns>Whether there may be more to look at.</returns>
    ValueTask<bool> HearAsync(Func<NewGroup, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken);

    /// <summary>The same for hours that ended within the last day and of which nobody has been told.</summary>
    ValueTask TellHoursAsync(Func<HourOfDeaths, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken);

    /// <summary>A message for one hook, taken for its first try already. Null when the tenant has no such hook.</summary>
    ValueTask<DueMessage?> PostTestAsync(TenantId tenant, HookId hook, ReadOnlyMemory<byte> body, CancellationToken cancellationToken);

    /// <summary>Takes messages that are due. Whoever takes one and is not heard of again has it for <paramref name="lease"/>; then
    /// it is due once more.</summary>
    /// <param name="except">Hooks that have enough under way here.</param>
    ValueTask<IReadOnlyList<DueMessage>> TakeAsync(int countMax, IReadOnlyCollection<HookId> except, TimeSpan lease, CancellationToken cancellationToken);

    /// <param name="retryAfter">Null when there is no other try.</param>
    ValueTask SettleAsync(DueMessage message, TryOutcome outcome, TimeSpan? retryAfter, CancellationToken cancellationToken);

    /// <summary>How long until the next message is due, by the clock of the store; null when none waits.</summary>
    ValueTask<TimeSpan?> NextDueAsync(IReadOnlyCollection<HookId> except, CancellationToken cancellationToken);

    /// <summary>What waits, of all tenants.</summary>
    ValueTask<OutboxBacklog> ReadBacklogAsync(CancellationToken cancellationToken);

    /// <summary>Drops what is older and has been dealt with.</summary>
    ValueTask ForgetAsync(TimeSpan age, CancellationToken cancellationToken);
}
