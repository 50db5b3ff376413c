namespace Astra.Auditor;

/// <summary>A goal of the auditor.</summary>
public sealed record AuditRequest
{
    /// <summary>The directory to audit, absolute.</summary>
    public required string Path { get; init; }

    /// <summary>Also dpkg's database and caches of ecosystems that the project does not use; everything found then
    /// counts for the outcome.</summary>
    public bool Machine { get; init; }

    public AuditPlaces Places { get; init; } = new();

    /// <summary>Everything an audit may read: what whoever runs the server grants when it takes the goal.</summary>
    public IEnumerable<string> ReadableRoots() =>
    [
        Path, .. Places.NuGetFolders, .. Places.SitePackages, .. Places.NodeModules,
        .. Places.NpmCache is { } cache ? [cache] : Array.Empty<string>(),
        .. Machine && Places.Dpkg is { } dpkg ? [dpkg, .. Places.DpkgRoots] : Array.Empty<string>(),
    ];
}

/// <summary>Where this machine keeps packages. Only places that exist are listed: a cage cannot mount what is not there.</summary>
public sealed record AuditPlaces
{
    public IReadOnlyList<string> NuGetFolders { get; init; } = [];

    /// <summary>The directory that holds `index-v5` and `content-v2`.</summary>
    public string? NpmCache { get; init; }
    public IReadOnlyList<string> SitePackages { get; init; } = [];

    /// <summary>`node_modules` of globally installed packages.</summary>
    public IReadOnlyList<string> NodeModules { get; init; } = [];

    /// <summary>`/var/lib/dpkg`, with `status` and `info`.</summary>
    public string? Dpkg { get; init; }

    /// <summary>The directories that Debian packages install into, for checking their files.</summary>
    public IReadOnlyList<string> DpkgRoots { get; init; } = [];

    /// <summary>Looks at names only: which of the usual places exist. Opens no file and starts no program.</summary>
    /// <param name="environment">Reads one variable; null when it is not set.</param>
    /// <param name="home">The home directory of whoever asked for the audit.</param>
    public static AuditPlaces OfThisMachine(Func<string, string?> environment, string home)
    {
        ArgumentNullException.ThrowIfNull(environment);
        var npmCache = FirstSet(environment("npm_config_cache"), environment("NPM_CONFIG_CACHE"))
            ?? (OperatingSystem.IsWindows() ? Path.Combine(home, "AppData", "Local", "npm-cache") : Path.Combine(home, ".npm"));
        return new AuditPlaces
        {
            NuGetFolders = Existing([FirstSet(environment("NUGET_PACKAGES")) ?? Path.Combine(home, ".nuget", "packages")]),
            NpmCache = Existing([Path.Combine(npmCache, "_cacache")]).FirstOrDefault(),
            SitePackages = Existing(SitePackagesCandidates(environment, home)),
            NodeModules = Existing(NodeModulesCandidates(environment)),
            Dpkg = Existing(["/var/lib/dpkg"]).FirstOrDefault(),
            DpkgRoots = Existing(["/usr", "/opt"]),
        };
    }

    private static IEnumerable<string> SitePackagesCandidates(Func<string, string?> environment, string home)
    {
        var prefixes = new List<string> { "/usr/local", "/usr", Path.Combine(home, ".local") };
        if (FirstSet(environment("VIRTUAL_ENV")) is { } virtualEnvironment)
            prefixes.Insert(0, virtualEnvironment);
        var pyenv = FirstSet(environment("PYENV_ROOT")) ?? Path.Combine(home, ".pyenv");
        prefixes.AddRange(Children(Path.Combine(pyenv, "versions")));
        foreach (var prefix in prefixes)
        {
            foreach (var python in Children(Path.Combine(prefix, "lib")))
            {
                if (!Path.GetFileName(python).StartsWith("python3", StringComparison.Ordinal))
                    continue;
                yield return Path.Combine(python, "site-packages");
                yield return Path.Combine(python, "dist-packages");
            }
        }
    }

    private static IEnumerable<string> NodeModulesCandidates(Func<string, string?> environment)
    {
        if (FirstSet(environment("npm_config_prefix"), environment("NPM_CONFIG_PREFIX")) is { } prefix)
            yield return Path.Combine(prefix, "lib", "node_modules");
        yield return "/usr/lib/node_modules";
        yield return "/usr/local/lib/node_modules";
        yield return "/opt/homebrew/lib/node_modules";
    }

    private static string? FirstSet(params string?[] values) => values.FirstOrDefault(value => !string.IsNullOrWhiteSpace(value));

    private static List<string> Existing(IEnumerable<string> candidates) =>
        [.. candidates.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal).Where(Directory.Exists)];

    private static IEnumerable<string> Children(string directory) =>
        Directory.Exists(directory) ? Directory.GetDirectories(directory).Order(StringComparer.Ordinal) : [];
}
