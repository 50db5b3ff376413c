using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>Budgets of a fleet in memory: what a store does, said once. For tests, and for a server that keeps nothing.</summary>
public sealed class InMemoryBudgets(TimeProvider clock) : IBudgetStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<BudgetKey, (Budget Budget, long Version)> _budgets = [];
    private readonly SortedDictionary<PeriodKey, Account> _accounts = new(PeriodKey.Order);
    private readonly Dictionary<LedgerId, DateTimeOffset> _ledgers = [];
    private long _version;

    public ValueTask<BudgetChanges> ReadChangesAsync(long afterVersion, CancellationToken cancellationToken)
    {
        lock (_gate)
            return new(new BudgetChanges(_version, [.. _budgets.Values.Where(known => known.Version > afterVersion).Select(known => known.Budget)]));
    }

    public ValueTask SetAsync(Budget budget, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (_gate)
            _budgets[budget.Key] = (budget, ++_version);
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<BudgetStanding>> ListAsync(TenantId tenant, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return new([.. _budgets.Values.Select(known => known.Budget)
                .Where(budget => budget.Key.Tenant == tenant && budget.Cap is not null)
                .OrderBy(budget => PeriodKey.At(budget.Key, now), PeriodKey.Order)
                .Select(budget => StandingOf(budget, PeriodKey.At(budget.Key, now)))]);
        }
    }

    public ValueTask<Nanodollars> ForgiveAsync(BudgetKey budget, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var forgiven = 0L;
            if (_budgets.TryGetValue(budget, out var known))
                _budgets[budget] = (known.Budget, ++_version);
            foreach (var account in _accounts.Where(account => account.Key.Budget == budget).Select(account => account.Value))
            {
                foreach (var (ledger, lease) in account.Leases.Where(lease => !Lives(lease.Key)).ToList())
                {
                    forgiven += lease.Drawn;
                    account.Leases[ledger] = lease with { Drawn = 0 };
                }
            }
            return new(new Nanodollars(forgiven));
        }
    }

    public ValueTask RegisterAsync(LedgerId ledger, string node, TimeSpan lease, CancellationToken cancellationToken)
    {
        lock (_gate)
            _ledgers[ledger] = clock.GetUtcNow() + lease;
        return ValueTask.CompletedTask;
    }

    public ValueTask<DrawOutcome> DrawAsync(LedgerId ledger, TimeSpan lease, IReadOnlyList<LeaseReport> reports, IReadOnlyList<CallToPay> calls, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (!_ledgers.ContainsKey(ledger))
                throw new LedgerUnknownException();
            _ledgers[ledger] = clock.GetUtcNow() + lease;
            var accounts = reports.Select(report => AccountOf(report.Period)).ToList();
            var stored = accounts.Zip(reports, (account, report) =>
            {
                var mine = account.Leases.GetValueOrDefault(ledger);
                var others = account.Leases.Count(other => other.Key != ledger && other.Value.Drawn != 0);
                return new StoredLease(new PeriodAccount(CapOf(report.Period.Budget), account.Spent, account.Leased, others + 1, account.ToldPercent), mine.Drawn, mine.Settled);
            }).ToList();
            var outcome = DrawRules.Decide(reports, stored, calls);
            for (var i = 0; i < reports.Count; i++)
            {
                accounts[i].Spent = outcome.Accounts[i].Spent;
                accounts[i].Leases[ledger] = (outcome.Drawn[i], reports[i].Settled);
            }
            return new(outcome);
        }
    }

    public ValueTask CloseAsync(LedgerId ledger, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (var account in _accounts.Values)
                account.Leases.Remove(ledger);
            _ledgers.Remove(ledger);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> RaiseAsync(BudgetAlert alert, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var account = AccountOf(alert.Period);
            if (account.ToldPercent >= alert.Percent)
                return new(false);
            account.ToldPercent = alert.Percent;
            return new(true);
        }
    }

    private BudgetStanding StandingOf(Budget budget, PeriodKey period)
    {
        var account = AccountOf(period);
        var held = account.Leases.Where(lease => Lives(lease.Key)).Sum(lease => lease.Value.Drawn);
        return new BudgetStanding(budget, period, new Nanodollars(account.Spent), new Nanodollars(held), new Nanodollars(account.Leased - held));
    }

    private Account AccountOf(PeriodKey period) => _accounts.TryGetValue(period, out var account) ? account : _accounts[period] = new Account();

    private long? CapOf(BudgetKey budget) => _budgets.TryGetValue(budget, out var known) ? known.Budget.Cap?.Value : null;

    private bool Lives(LedgerId ledger) => _ledgers.TryGetValue(ledger, out var until) && until > clock.GetUtcNow();

    private sealed class Account
    {
        public long Spent { get; set; }
        public int ToldPercent { get; set; }
        public Dictionary<LedgerId, (long Drawn, long Settled)> Leases { get; } = [];
        public long Leased => Leases.Values.Sum(lease => lease.Drawn);
    }
}
