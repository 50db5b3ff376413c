using Astra.Kernel;
using Astra.Llm.Money;

namespace Astra.Tests.Money;

/// <summary>A store as seen through a bad connection: what was asked for happens or not, and the answer is lost.</summary>
public sealed class LossyStore(IBudgetStore inner) : IBudgetStore
{
    private volatile bool _isDead;
    private volatile Random? _dice;
    private int _every;

    /// <summary>The process is gone: nothing that it says arrives any more.</summary>
    public void Die() => _isDead = true;

    /// <summary>No question arrives while it is.</summary>
    public bool IsCutOff { get; set; }

    public void LoseEvery(int every, int seed) => (_every, _dice) = (every, every == 0 ? null : new Random(seed));

    public ValueTask<BudgetChanges> ReadChangesAsync(long afterVersion, CancellationToken cancellationToken) => Through(() => inner.ReadChangesAsync(afterVersion, cancellationToken));

    public async ValueTask SetAsync(Budget budget, DateTimeOffset now, CancellationToken cancellationToken) => await inner.SetAsync(budget, now, cancellationToken);

    public ValueTask<IReadOnlyList<BudgetStanding>> ListAsync(TenantId tenant, DateTimeOffset now, CancellationToken cancellationToken) => inner.ListAsync(tenant, now, cancellationToken);

    public ValueTask<Nanodollars> ForgiveAsync(BudgetKey budget, CancellationToken cancellationToken) => inner.ForgiveAsync(budget, cancellationToken);

    public async ValueTask RegisterAsync(LedgerId ledger, string node, TimeSpan lease, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDead, this);
        await inner.RegisterAsync(ledger, node, lease, cancellationToken);
    }

    public ValueTask<DrawOutcome> DrawAsync(LedgerId ledger, TimeSpan lease, IReadOnlyList<LeaseReport> reports, IReadOnlyList<CallToPay> calls, CancellationToken cancellationToken) =>
        Through(() => inner.DrawAsync(ledger, lease, reports, calls, cancellationToken));

    public async ValueTask CloseAsync(LedgerId ledger, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDead, this);
        await inner.CloseAsync(ledger, cancellationToken);
    }

    public ValueTask<bool> RaiseAsync(BudgetAlert alert, CancellationToken cancellationToken) => Through(() => inner.RaiseAsync(alert, cancellationToken));

    private async ValueTask<T> Through<T>(Func<ValueTask<T>> ask)
    {
        ObjectDisposedException.ThrowIf(_isDead, this);
        var (loses, asks) = (IsCutOff, !IsCutOff);
        if (!IsCutOff && _dice is { } dice)
        {
            lock (dice)
                (loses, asks) = (dice.Next(_every) == 0, dice.Next(2) == 0);
        }
        if (loses && !asks)
            throw new IOException("The question was lost.");
        var answer = await ask();
        return loses ? throw new IOException("The answer was lost.") : answer;
    }
}
