using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>A node's ledger, from its start to its end.</summary>
public readonly record struct LedgerId(Guid Value);

/// <summary>What a ledger says about one period: amounts since its start and not changes, so that saying it again, after an answer
/// was lost, changes nothing.</summary>
/// <param name="Drawn">What it still holds: at hand, or reserved for calls under way.</param>
/// <param name="Settled">What it has spent of this period so far.</param>
/// <param name="AtHand">What of the drawn is free for the calls of this round.</param>
public readonly record struct LeaseReport(PeriodKey Period, long Drawn, long Settled, long AtHand);

/// <param name="Leases">Which of the reports it is paid from.</param>
public sealed record CallToPay(long WorstCase, IReadOnlyList<int> Leases);

/// <summary>A period as the store has it.</summary>
/// <param name="Cap">Null when the budget was removed.</param>
/// <param name="Leased">Of all ledgers together.</param>
/// <param name="LedgerCount">How many ledgers hold something, this one included.</param>
/// <param name="ToldPercent">The highest threshold that was told of.</param>
public readonly record struct PeriodAccount(long? Cap, long Spent, long Leased, int LedgerCount, int ToldPercent)
{
    /// <summary>Of a budget that was removed there is always more, but never so much that sums wrap round.</summary>
    public long Left => (Cap ?? DrawRules.AmountMax) - Spent - Leased;
}

/// <param name="RefusedBy">For each call the report that was short, or -1 where it is paid for.</param>
/// <param name="Left">For each refused call, what there was of that period.</param>
/// <param name="Drawn">For each report what the ledger holds now.</param>
/// <param name="AtHand">For each report what is free after the calls were paid.</param>
public sealed record DrawOutcome(
    IReadOnlyList<int> RefusedBy, IReadOnlyList<long> Left, IReadOnlyList<long> Drawn, IReadOnlyList<long> AtHand, IReadOnlyList<PeriodAccount> Accounts);

/// <param name="Version">Where the next look begins.</param>
public sealed record BudgetChanges(long Version, IReadOnlyList<Budget> Budgets);

/// <summary>
/// Budgets and what became of them, for all nodes. A draw is all or nothing for each call, and no two draws see the same money:
/// spent and leased together never pass a cap by a draw.
/// </summary>
public interface IBudgetStore
{
    /// <summary>Budgets of every tenant that were set or removed after that version; all there are, from version 0 on.</summary>
    ValueTask<BudgetChanges> ReadChangesAsync(long afterVersion, CancellationToken cancellationToken);

    /// <summary>Sets a budget, or removes it when it has no cap. The period that runs counts from its beginning: what usage
    /// records show is spent already.</summary>
    ValueTask SetAsync(Budget budget, DateTimeOffset now, CancellationToken cancellationToken);

    ValueTask<IReadOnlyList<BudgetStanding>> ListAsync(TenantId tenant, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Somebody has looked and says that what dead ledgers held of a budget was not spent.</summary>
    /// <returns>How much that was.</returns>
    ValueTask<Nanodollars> ForgiveAsync(BudgetKey budget, CancellationToken cancellationToken);

    ValueTask RegisterAsync(LedgerId ledger, string node, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Takes the reports down, pays for what fits in the order of the calls, and renews the ledger's time.</summary>
    /// <exception cref="LedgerUnknownException">Its time was over so long ago that it was forgotten.</exception>
    ValueTask<DrawOutcome> DrawAsync(LedgerId ledger, TimeSpan lease, IReadOnlyList<LeaseReport> reports, IReadOnlyList<CallToPay> calls, CancellationToken cancellationToken);

    /// <summary>The ledger has ended and holds nothing.</summary>
    ValueTask CloseAsync(LedgerId ledger, CancellationToken cancellationToken);

    /// <summary>Has it told that a threshold was reached. False when somebody else was first.</summary>
    ValueTask<bool> RaiseAsync(BudgetAlert alert, CancellationToken cancellationToken);
}

public sealed class LedgerUnknownException() : InvalidOperationException("The ledger was forgotten: it had not been heard of for too long.");
