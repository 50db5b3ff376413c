namespace Astra.Tools.Catalog;

/// <summary>Where a path of the host really leads. Grants are compared with that, or a link would be a way around them.</summary>
internal static class HostPaths
{
    // As many as Linux follows before it gives up.
    private const int LinkCountMax = 40;

    /// <returns>The path without links, or null when there is nothing there or the links go in a circle.</returns>
    public static string? Resolve(string path)
    {
        var rest = new Stack<string>(Path.GetFullPath(path).Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        var resolved = "/";
        var links = 0;
        while (rest.TryPop(out var part))
        {
            if (part == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? "/";
                continue;
            }
            var next = Path.Combine(resolved, part);
            if (LinkOf(next) is not { } target)
            {
                if (!Path.Exists(next))
                    return null;
                resolved = next;
                continue;
            }
            if (++links > LinkCountMax)
                return null;
            if (target.StartsWith('/'))
                resolved = "/";
            foreach (var step in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
                if (step != ".")
                    rest.Push(step);
        }
        return resolved;
    }

    /// <summary>Both without links.</summary>
    public static bool IsInside(string path, string root)
    {
        var directory = root.EndsWith('/') ? root : $"{root}/";
        return path == root || path.StartsWith(directory, StringComparison.Ordinal);
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
