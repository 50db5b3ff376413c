namespace Astra.Postgres.Cluster;

/// <summary>Which account PostgreSQL runs as: its own when Astra runs as root, which PostgreSQL refuses; else Astra's.</summary>
internal static class ClusterAccount
{
    /// <summary>By preference: one made for Astra, the one that PostgreSQL's packages make, the one that owns nothing.</summary>
    private static readonly string[] Unprivileged = ["astra", "postgres", "nobody"];

    /// <summary>The name of the account this process runs as, as peer authentication will see it.</summary>
    public static string Own => Environment.UserName;

    /// <summary>Null means: as ourselves.</summary>
    public static string? ForServer()
    {
        if (!Environment.IsPrivilegedProcess)
            return null;
        var known = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet(StringComparer.Ordinal);
        return Unprivileged.FirstOrDefault(known.Contains)
            ?? throw new ClusterException("PostgreSQL does not run as root and there is no account for it: make one with `useradd --system astra`.");
    }

    /// <summary>Makes a directory that only the server's account can enter (and root, which enters everything).</summary>
    public static async ValueTask MakePrivateDirectoryAsync(string directory, string? account, CancellationToken cancellationToken)
    {
        string[] owner = account is null ? [] : ["-o", account];
        var made = await ServerProgram.RunAsync("/usr/bin/install", ["-d", "-m", "0700", .. owner, directory], account: null, cancellationToken);
        if (!made.Succeeded)
            throw new ClusterException($"The directory {directory} cannot be made ({made.Error.Trim()}): give this user the right to, or choose another data directory with --data.");
        if (account is null)
            return;

        var reachable = await ServerProgram.RunAsync("/bin/sh", ["-c", "cd \"$0\"", directory], account, cancellationToken);
        if (!reachable.Succeeded)
            throw new ClusterException($"PostgreSQL runs as the account '{account}', which cannot reach {directory}: choose a data directory that it can, for instance /var/lib/astra, with --data.");
    }
}
