using Astra.Kernel.Controls;

namespace Astra.Kernel.InMemory;

/// <summary>Controls in memory: the reference.</summary>
public sealed class InMemoryControls : IControls
{
    private readonly Lock _transaction;
    private readonly SortedDictionary<(Guid, LimitScope, string), Limit> _limits = new(ByText<LimitScope>());
    private readonly SortedDictionary<(Guid, byte, string), Weight> _weights = new(ByText<byte>());
    private readonly SortedDictionary<(Guid, byte, string), PausedAgent> _paused = new(ByText<byte>());
    private long _version;

    internal InMemoryControls(Lock transaction) => _transaction = transaction;

    public ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(_version);
    }

    public ValueTask<ControlSet> LoadAsync(CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            var tenants = _limits.Keys.Select(key => key.Item1).Concat(_weights.Keys.Select(key => key.Item1)).Concat(_paused.Keys.Select(key => key.Item1));
            return ValueTask.FromResult(new ControlSet(_version, [.. tenants.Distinct().Order().Select(tenant => Of(new TenantId(tenant)))]));
        }
    }

    public ValueTask<TenantControls> ReadAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(Of(tenant));
    }

    public ValueTask<bool> ApplyAsync(TenantId tenant, ControlChange change, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            var hasChanged = Apply(tenant.Value, change);
            if (hasChanged)
                _version++;
            return ValueTask.FromResult(hasChanged);
        }
    }

    private bool Apply(Guid tenant, ControlChange change)
    {
        switch (change)
        {
            case ControlChange.SetLimit { Limit: var limit }:
                _limits[(tenant, limit.Scope, limit.Name)] = limit;
                return true;
            case ControlChange.RemoveLimit remove:
                return _limits.Remove((tenant, remove.Scope, remove.Name));
            case ControlChange.SetWeight { Weight: { Value: Weight.Default } usual }:
                _weights.Remove((tenant, 0, usual.Agent));
                return true;
            case ControlChange.SetWeight { Weight: var weight }:
                _weights[(tenant, 0, weight.Agent)] = weight;
                return true;
            case ControlChange.PauseAgent { Pause: var pause }:
                // Who paused it first is who has to be asked.
                if (_paused.ContainsKey((tenant, 0, pause.Agent)))
                    return false;
                _paused[(tenant, 0, pause.Agent)] = pause;
                return true;
            case ControlChange.ResumeAgent resume:
                return _paused.Remove((tenant, 0, resume.Agent));
            default:
                throw new InvalidOperationException($"No such change: {change.GetType().Name}.");
        }
    }

    private TenantControls Of(TenantId tenant) => new(
        tenant,
        [.. _limits.Where(row => row.Key.Item1 == tenant.Value).Select(row => row.Value)],
        [.. _weights.Where(row => row.Key.Item1 == tenant.Value).Select(row => row.Value)],
        [.. _paused.Where(row => row.Key.Item1 == tenant.Value).Select(row => row.Value)]);

    private static Comparer<(Guid, T, string)> ByText<T>() => Comparer<(Guid Tenant, T Kind, string Name)>.Create((a, b) =>
        a.Tenant.CompareTo(b.Tenant) is var tenant and not 0 ? tenant
        : Comparer<T>.Default.Compare(a.Kind, b.Kind) is var kind and not 0 ? kind
        : string.CompareOrdinal(a.Name, b.Name));
}
