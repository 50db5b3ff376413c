namespace Astra.Kernel.Scheduling;

/// <summary>How long a tenant waits at most for its first slot, however many tasks its neighbours have.</summary>
/// <remarks>
/// Let a tenant with nothing running begin to wait, with S slots it may use, n tenants waiting (itself included), and no
/// task longer than L. It joins no later than where the last one served stood. Whoever is served before it stands behind that
/// point by at most L of its slot time (FairQueue forgets more), may start one task more, and may be given back at most L for each
/// task that it ran then; of those there are S in all, and each is in the way for at most L. So the slots do at most
/// (n - 1) × 2L + S × 2L before its turn comes: W = 2L × (1 + (n - 1) / S).
/// Weights are not in it: they decide about shares over time, not about the first task of somebody who comes.
/// </remarks>
public static class WaitBound
{
    public static TimeSpan Of(int slots, int tenantsWaiting, TimeSpan longestTask) =>
        slots == 0 ? TimeSpan.MaxValue : 2 * longestTask * (1 + (Math.Max(1, tenantsWaiting) - 1) / (double)slots);
}
