using System.Numerics;
using Astra.Kernel;

namespace Astra.Testing.Time;

/// <summary>
/// The same dice for the same seed, on every machine and in every version: xoshiro256**, seeded through SplitMix64.
/// For one thread.
/// </summary>
public sealed class SeededRandomness : IRandomness
{
    private ulong _s0, _s1, _s2, _s3;

    public SeededRandomness(ulong seed)
    {
        Seed = seed;
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    /// <summary>What to write down to see this run again.</summary>
    public ulong Seed { get; }

    public ulong NextUInt64()
    {
        ulong drawn = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong shifted = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return drawn;
    }

    /// <summary>
    /// Dice of one's own for a part of the world, so that adding a part does not change the others' luck.
    /// </summary>
    public SeededRandomness Fork() => new(NextUInt64());

    private static ulong SplitMix(ref ulong state)
    {
        ulong mixed = state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
