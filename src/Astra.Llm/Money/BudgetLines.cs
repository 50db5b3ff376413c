using System.Collections.Concurrent;
using System.Globalization;
using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>One budget as this node knows it, with what it holds of the period that runs.</summary>
internal sealed class BudgetLine(Budget budget)
{
    private readonly Lock _gate = new();
    private volatile BudgetCell? _current;

    public volatile Budget Budget = budget;

    /// <param name="added">Told of the cell when a period begins.</param>
    public BudgetCell CellAt(DateTimeOffset now, Action<BudgetCell> added)
    {
        var period = PeriodKey.At(Budget.Key, now);
        if (_current is { } current && current.Period == period)
            return current;
        lock (_gate)
        {
            if (_current is { } newer && newer.Period == period)
                return newer;
            // A clock that was set back goes on with an earlier period; the store knows both.
            var cell = new BudgetCell(period);
            added(cell);
            return _current = cell;
        }
    }
}

/// <summary>Every budget of every tenant, by whose it is. Reading takes no lock, and where a level has no budget anywhere nobody
/// looks for one.</summary>
internal sealed class BudgetLines
{
    private readonly ConcurrentDictionary<(TenantId Tenant, BudgetLevel Level, string Of), BudgetLine[]> _lines = new();
    private readonly int[] _countByLevel = new int[(int)BudgetLevel.Key + 1];

    public void Apply(IReadOnlyList<Budget> changes)
    {
        foreach (var budget in changes)
        {
            var owner = (budget.Key.Tenant, budget.Key.Level, budget.Key.Of);
            var known = _lines.GetValueOrDefault(owner) ?? [];
            if (known.FirstOrDefault(line => line.Budget.Key == budget.Key) is { } line)
                line.Budget = budget;
            else
                _lines[owner] = [.. known.Append(new BudgetLine(budget)).OrderBy(each => each.Budget.Key.Window)];
            var level = (int)budget.Key.Level;
            _countByLevel[level] = Math.Max(1, _countByLevel[level]);
        }
    }

    /// <summary>Those that a call of this spender is paid from, the widest first.</summary>
    public BudgetLine[] Of(Spender spender)
    {
        List<BudgetLine>? found = null;
        Add(BudgetKey.Platform, BudgetLevel.Platform, "");
        Add(spender.Tenant, BudgetLevel.Tenant, "");
        if (spender.Agent is { } agent)
            Add(spender.Tenant, BudgetLevel.Agent, agent);
        if (spender.Goal is { } goal && Has(BudgetLevel.Goal))
            Add(spender.Tenant, BudgetLevel.Goal, Text(goal.Value));
        if (spender.Task is { } task && Has(BudgetLevel.Task))
            Add(spender.Tenant, BudgetLevel.Task, Text(task.Value));
        if (spender.Key is { } key && Has(BudgetLevel.Key))
            Add(spender.Tenant, BudgetLevel.Key, Text(key));
        return found is null ? [] : [.. found];

        void Add(TenantId tenant, BudgetLevel level, string of)
        {
            if (!Has(level) || !_lines.TryGetValue((tenant, level, of), out var lines))
                return;
            foreach (var line in lines)
            {
                if (line.Budget.Cap is not null)
                    (found ??= []).Add(line);
            }
        }
    }

    private bool Has(BudgetLevel level) => Volatile.Read(ref _countByLevel[(int)level]) > 0;

    private static string Text(Guid id) => id.ToString("D", CultureInfo.InvariantCulture);
}
