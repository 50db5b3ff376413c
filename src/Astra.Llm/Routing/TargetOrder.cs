using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;

namespace Astra.Llm.Routing;

/// <summary>Whom to ask next, and the pass of its breaker that was taken for it.</summary>
internal readonly record struct NextTarget(Target Target, BreakerPass Pass);

/// <summary>In which order the targets of a route are tried for one call. Who failed once is not asked again.</summary>
internal sealed class TargetOrder(IPrices prices, IRandomness randomness, TimeProvider clock)
{
    /// <summary>Null when nobody is left who could be asked now.</summary>
    /// <param name="tried">A bit for each target that has had its turn.</param>
    public NextTarget? Next(ModelRoute route, Operation operation, CallPriority priority, bool isStream, ref ulong tried)
    {
        var targets = route.Targets;
        if (targets.Count == 1)
            return Take(targets, 0, operation, ref tried);
        var balance = priority switch
        {
            CallPriority.Low => Balance.Price,
            CallPriority.High => Balance.Latency,
            _ => route.Balance,
        };
        // Somebody else may take a half-open target's one probe between the look and the take; then the next best is asked.
        while (Choose(targets, balance, operation, isStream, tried) is { } index)
        {
            if (Take(targets, index, operation, ref tried) is { } next)
                return next;
        }
        return null;
    }

    private static NextTarget? Take(IReadOnlyList<Target> targets, int index, Operation operation, ref ulong tried)
    {
        var bit = 1UL << index;
        if ((tried & bit) != 0)
            return null;
        tried |= bit;
        var target = targets[index];
        return target.CanServe(operation) && target.Provider.KeyRest == TimeSpan.Zero && target.Breaker.TryPass() is { } pass ? new NextTarget(target, pass) : null;
    }

    private int? Choose(IReadOnlyList<Target> targets, Balance balance, Operation operation, bool isStream, ulong tried) => balance switch
    {
        Balance.Latency => QuickerOfTwo(targets, operation, isStream, tried),
        Balance.Price => Cheapest(targets, operation, tried),
        _ => First(targets, operation, tried),
    };

    private static bool IsOpen(IReadOnlyList<Target> targets, int index, Operation operation, ulong tried) =>
        (tried & (1UL << index)) == 0 && targets[index].CanServe(operation) && targets[index].Breaker.WouldPass && targets[index].Provider.KeyRest == TimeSpan.Zero;

    private static int? First(IReadOnlyList<Target> targets, Operation operation, ulong tried)
    {
        for (var i = 0; i < targets.Count; i++)
            if (IsOpen(targets, i, operation, tried))
                return i;
        return null;
    }

    /// <summary>Two at random, and the better one: nearly as good as looking at all, and no herd follows the one that was best a moment ago.</summary>
    private int? QuickerOfTwo(IReadOnlyList<Target> targets, Operation operation, bool isStream, ulong tried)
    {
        Span<int> open = stackalloc int[targets.Count];
        var count = 0;
        for (var i = 0; i < targets.Count; i++)
            if (IsOpen(targets, i, operation, tried))
                open[count++] = i;
        if (count < 2)
            return count == 0 ? null : open[0];
        var one = randomness.NextInt32(count);
        var other = randomness.NextInt32(count - 1);
        if (other >= one)
            other++;
        var (left, right) = (open[one], open[other]);
        return targets[right].Load(isStream) < targets[left].Load(isStream) ? right : left;
    }

    private int? Cheapest(IReadOnlyList<Target> targets, Operation operation, ulong tried)
    {
        var now = clock.GetUtcNow();
        (int? best, long least) = (null, long.MaxValue);
        for (var i = 0; i < targets.Count; i++)
        {
            if (!IsOpen(targets, i, operation, tried))
                continue;
            // A model on this machine costs nothing; one without a price may cost anything.
            var price = targets[i].Price(prices, now) ?? (targets[i].Model.Tier == Tier.Local ? 0 : long.MaxValue);
            if (best is null || price < least)
                (best, least) = (i, price);
        }
        return best;
    }
}
