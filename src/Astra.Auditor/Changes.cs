namespace Astra.Auditor;

/// <summary>What is different from the previous audit of the same package id.</summary>
internal static class Changes
{
    private const int VersionsMax = 8;

    public static IEnumerable<Finding> Between(PackageMemory memory, string version, Fingerprint now)
    {
        if (memory.Versions.TryGetValue(version, out var same))
        {
            // Comparable only when both audits saw the package in the same form: an archive has another hash than its files.
            if (same.Content != now.Content && KindOf(same) == KindOf(now))
                yield return new Finding { Rule = "changed-same-version", Detail = $"Its content was {same.Content} and is {now.Content}." };
            yield break;
        }
        if (memory.Versions.Count == 0)
            yield break;
        var (lastVersion, last) = memory.Versions.MaxBy(entry => entry.Key, VersionOrder.Instance);
        var gained = now.Abilities.Except(last.Abilities, StringComparer.Ordinal).ToList();
        if (now.RunsByItself.Count > 0 && last.RunsByItself.Count == 0)
            gained.Add($"runs by itself ({now.RunsByItself[0]})");
        yield return gained.Count > 0
            ? new Finding { Rule = "gained-ability", Detail = $"Since {lastVersion}: {string.Join(", ", gained)}." }
            : new Finding { Rule = "new-version", Detail = $"The last audit saw {lastVersion}." };
    }

    public static PackageMemory Remember(PackageMemory memory, string version, Fingerprint now)
    {
        var versions = new Dictionary<string, Fingerprint>(memory.Versions, StringComparer.Ordinal) { [version] = now };
        while (versions.Count > VersionsMax)
            versions.Remove(versions.Keys.Where(known => known != version).Min(VersionOrder.Instance)!);
        return new PackageMemory { Versions = versions };
    }

    private static string KindOf(Fingerprint fingerprint) => fingerprint.Content.Split(':')[0];

    /// <summary>Numbers by value, the rest as text: 1.10 is newer than 1.9.</summary>
    private sealed class VersionOrder : IComparer<string>
    {
        public static readonly VersionOrder Instance = new();

        public int Compare(string? x, string? y)
        {
            var (left, right) = (Parts(x), Parts(y));
            for (var index = 0; index < Math.Min(left.Length, right.Length); index++)
            {
                var order = long.TryParse(left[index], out var one) && long.TryParse(right[index], out var two)
                    ? one.CompareTo(two)
                    : string.CompareOrdinal(left[index], right[index]);
                if (order != 0)
                    return order;
            }
            return left.Length.CompareTo(right.Length);
        }

        private static string[] Parts(string? version) => (version ?? "").Split('.', '-', '+');
    }
}
