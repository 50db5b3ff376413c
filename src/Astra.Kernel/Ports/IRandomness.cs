namespace Astra.Kernel;

/// <summary>The only dice of the kernel. A simulation hands in seeded ones.</summary>
public interface IRandomness
{
    ulong NextUInt64();
}

public static class RandomnessExtensions
{
    /// <summary>A number in [0, 1).</summary>
    public static double NextDouble(this IRandomness randomness) => (randomness.NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [0, <paramref name="exclusiveMax"/>), without modulo bias worth speaking of.</summary>
    public static int NextInt32(this IRandomness randomness, int exclusiveMax) =>
        (int)(((randomness.NextUInt64() >> 32) * (ulong)exclusiveMax) >> 32);
}
