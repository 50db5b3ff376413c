using System.Globalization;

namespace Astra.Postgres.Cluster;

/// <summary>A directory with PostgreSQL's server programs, and their major version.</summary>
internal sealed record ServerBinaries(string Directory, int MajorVersion)
{
    public const int MajorVersionMin = 15;

    public string Program(string name) => Path.Combine(Directory, name);

    /// <summary>
    /// The programs that fit an existing cluster, which a newer version cannot start; without one, the newest.
    /// </summary>
    /// <param name="clusterVersion">The content of the cluster's PG_VERSION, when there is one.</param>
    public static ServerBinaries Choose(IReadOnlyList<ServerBinaries> found, int? clusterVersion, string clusterDirectory)
    {
        var newest = found.Where(binaries => binaries.MajorVersion >= MajorVersionMin).MaxBy(binaries => binaries.MajorVersion);
        if (newest is null)
        {
            var what = found.Count == 0
                ? "No PostgreSQL server was found"
                : $"PostgreSQL {found.Max(binaries => binaries.MajorVersion)} is too old ({MajorVersionMin} or later is needed)";
            throw new ClusterException($"{what}: install it ({InstallCommand}), or use a server of yours with --database.");
        }
        if (clusterVersion is not { } version)
            return newest;
        return found.FirstOrDefault(binaries => binaries.MajorVersion == version)
            ?? throw new ClusterException(
                $"The database in {clusterDirectory} is of PostgreSQL {version} and this machine has {newest.MajorVersion}: install PostgreSQL {version} again, "
                + $"or upgrade it with `{newest.Program("pg_upgrade")} --old-datadir {clusterDirectory} --new-datadir {clusterDirectory}.new "
                + $"--old-bindir DIRECTORY_OF_{version} --new-bindir {newest.Directory}`.");
    }

    public static async ValueTask<IReadOnlyList<ServerBinaries>> FindAllAsync(CancellationToken cancellationToken)
    {
        var found = new List<ServerBinaries>();
        foreach (var directory in await CandidatesAsync(cancellationToken))
        {
            if (!File.Exists(Path.Combine(directory, "postgres")) || !File.Exists(Path.Combine(directory, "initdb")))
                continue;
            var version = await ServerProgram.RunAsync(Path.Combine(directory, "postgres"), ["--version"], account: null, cancellationToken);
            if (MajorVersionOf(version.Output) is { } major)
                found.Add(new ServerBinaries(directory, major));
        }
        return found;
    }

    /// <summary>For instance 15 for "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".</summary>
    internal static int? MajorVersionOf(string text)
    {
        var number = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(word => char.IsAsciiDigit(word[0]));
        var digits = number is null ? "" : new string(number.TakeWhile(char.IsAsciiDigit).ToArray());
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }

    private static async ValueTask<IReadOnlyList<string>> CandidatesAsync(CancellationToken cancellationToken)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        // Debian keeps the server programs off the PATH, one directory for each major version; so does Homebrew.
        List<string> candidates =
        [
            .. path,
            .. Below("/usr/lib/postgresql", "*"),
            .. Below("/usr", "pgsql-*"),
            .. Below("/opt/homebrew/opt", "postgresql*"),
            .. Below("/usr/local/opt", "postgresql*"),
        ];
        if (path.Select(directory => Path.Combine(directory, "pg_config")).FirstOrDefault(File.Exists) is { } config)
        {
            var answer = await ServerProgram.RunAsync(config, ["--bindir"], account: null, cancellationToken);
            candidates.Add(answer.Output.Trim());
        }
        return candidates.Distinct(StringComparer.Ordinal).ToArray();
    }

    private static IEnumerable<string> Below(string directory, string pattern) =>
        System.IO.Directory.Exists(directory)
            ? System.IO.Directory.EnumerateDirectories(directory, pattern).Select(version => Path.Combine(version, "bin"))
            : [];

    private static string InstallCommand => OperatingSystem.IsMacOS() ? "`brew install postgresql@17`" : "`apt install postgresql`";
}
