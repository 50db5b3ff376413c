using Astra.Kernel;

namespace Astra.Simulation;

/// <summary>What a simulation asks its dice for.</summary>
internal static class Dice
{
    public static bool Chance(this IRandomness dice, double share) => dice.NextDouble() < share;

    /// <summary>Both ends included.</summary>
    public static int Between(this IRandomness dice, int min, int max) => min + dice.NextInt32(max - min + 1);

    public static TimeSpan Between(this IRandomness dice, TimeSpan min, TimeSpan max) => min + (max - min) * dice.NextDouble();

    public static T Pick<T>(this IRandomness dice, IReadOnlyList<T> among) => among[dice.NextInt32(among.Count)];

    public static T? PickOrNone<T>(this IRandomness dice, IReadOnlyList<T> among)
        where T : class => among.Count == 0 ? null : dice.Pick(among);
}
