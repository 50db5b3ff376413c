namespace Astra.Llm.Money;

/// <summary>What the store has of one period before a draw.</summary>
/// <param name="Drawn">By this ledger, as it last said.</param>
/// <param name="Settled">By this ledger, as it last said.</param>
public readonly record struct StoredLease(PeriodAccount Account, long Drawn, long Settled);

/// <summary>
/// Decides a draw, without knowing where the figures are kept. Calls are paid in their order, each from all of its periods or
/// from none. A ledger gets more than it needs only while there is plenty: from the point where the rest would come to a few
/// dozen calls, each call draws exactly its own worst case, so that nobody holds what another one needs.
/// </summary>
public static class DrawRules
{
    /// <summary>Two of these still fit into a long.</summary>
    public const long AmountMax = long.MaxValue / 4;

    /// <summary>The part of the rest that one ledger takes ahead, and how many calls that must come to at least.</summary>
    private const int BlockParts = 8;
    private const int BlockCallsMin = 8;

    /// <summary>A ledger that dies takes its block along until somebody says what became of it, so it is no larger than a moment
    /// of hard work needs.</summary>
    private const int BlockCallsMax = 512;

    public static DrawOutcome Decide(IReadOnlyList<LeaseReport> reports, IReadOnlyList<StoredLease> stored, IReadOnlyList<CallToPay> calls)
    {
        var count = reports.Count;
        var (drawn, atHand, left, largest, accounts) = (new long[count], new long[count], new long[count], new long[count], new PeriodAccount[count]);
        for (var i = 0; i < count; i++)
        {
            var (report, before) = (reports[i], stored[i]);
            (drawn[i], atHand[i]) = (report.Drawn, report.AtHand);
            accounts[i] = before.Account with
            {
                Spent = before.Account.Spent + (report.Settled - before.Settled),
                Leased = before.Account.Leased + (report.Drawn - before.Drawn),
            };
            left[i] = accounts[i].Left;
        }

        var (refusedBy, leftOfRefused) = (new int[calls.Count], new long[calls.Count]);
        for (var c = 0; c < calls.Count; c++)
        {
            refusedBy[c] = -1;
            var worst = Math.Min(calls[c].WorstCase, AmountMax);
            foreach (var i in calls[c].Leases)
            {
                if (worst > atHand[i] && worst - atHand[i] > left[i])
                {
                    (refusedBy[c], leftOfRefused[c]) = (i, Math.Max(0, Math.Max(atHand[i], 0) + Math.Max(left[i], 0)));
                    break;
                }
            }
            if (refusedBy[c] >= 0)
                continue;
            foreach (var i in calls[c].Leases)
            {
                largest[i] = Math.Max(largest[i], worst);
                Draw(i, Math.Max(0, worst - atHand[i]));
                atHand[i] -= worst;
            }
        }

        for (var i = 0; i < count; i++)
        {
            var block = Math.Min(left[i] / (BlockParts * Math.Max(1, accounts[i].LedgerCount)), largest[i] * BlockCallsMax);
            // Only whoever came to draw is given more.
            if (drawn[i] > reports[i].Drawn && block >= largest[i] * BlockCallsMin && largest[i] > 0)
                Draw(i, block);
            accounts[i] = accounts[i] with { Leased = accounts[i].Leased + (drawn[i] - reports[i].Drawn) };
        }
        return new DrawOutcome(refusedBy, leftOfRefused, drawn, atHand, accounts);

        void Draw(int i, long amount)
        {
            drawn[i] += amount;
            atHand[i] += amount;
            left[i] -= amount;
        }
    }

    /// <summary>There is so little left that what lies idle anywhere should go back.</summary>
    public static bool IsTight(PeriodAccount account, long largestCall) =>
        account.Left / BlockParts / Math.Max(1, account.LedgerCount) < Math.Min(largestCall, AmountMax / BlockCallsMin) * BlockCallsMin;
}
