namespace Astra.Kernel.Shards;

/// <summary>How many goals each agent may still submit on this node: a bucket of tokens that fills at a steady rate.</summary>
internal sealed class AgentGoalRates(IClock clock, KernelLimits limits)
{
    // A bucket that is full again says nothing that a new one would not say.
    private const int BucketsBeforeSweep = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<(TenantId Tenant, string Agent), (double Tokens, TimeSpan At)> _buckets = [];

    /// <returns>Null when a token was taken; otherwise when there is one again.</returns>
    public TimeSpan? TryTake(TenantId tenant, string agent)
    {
        lock (_gate)
        {
            var now = clock.Elapsed;
            var tokens = _buckets.TryGetValue((tenant, agent), out var bucket) ? Filled(bucket, now) : limits.AgentGoalsBurst;
            if (tokens < 1)
                return TimeSpan.FromSeconds((1 - tokens) / limits.AgentGoalsPerSecond);
            if (_buckets.Count >= BucketsBeforeSweep)
                foreach (var full in _buckets.Where(other => Filled(other.Value, now) >= limits.AgentGoalsBurst).Select(other => other.Key).ToList())
                    _buckets.Remove(full);
            _buckets[(tenant, agent)] = (tokens - 1, now);
            return null;
        }
    }

    private double Filled((double Tokens, TimeSpan At) bucket, TimeSpan now) =>
        Math.Min(limits.AgentGoalsBurst, bucket.Tokens + ((now - bucket.At).TotalSeconds * limits.AgentGoalsPerSecond));
}
