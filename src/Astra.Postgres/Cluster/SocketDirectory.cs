using System.Security.Cryptography;
using System.Text;

namespace Astra.Postgres.Cluster;

/// <summary>Where the server's socket lives: beside the data, unless that path is too long for a socket address.</summary>
internal static class SocketDirectory
{
    /// <summary>108 bytes on Linux and 104 on a Mac, with the terminating zero; a little less is the same everywhere.</summary>
    private const int SocketPathBytesMax = 100;

    private const string SocketName = ".s.PGSQL.5432";

    public static string For(string dataDirectory)
    {
        var beside = Path.Combine(dataDirectory, "run");
        if (Fits(beside))
            return beside;

        // The same short name for the same data directory, so that a server left behind by a crash is found again.
        var name = "astra-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(dataDirectory)))[..16];
        // As root in /run, where nobody else can put a directory or a link of that name first.
        string[] parents = Environment.IsPrivilegedProcess
            ? ["/run", "/var/run"]
            : [Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") ?? "", "/tmp"];
        return parents.Where(parent => parent.Length > 0 && Directory.Exists(parent)).Select(parent => Path.Combine(parent, name)).FirstOrDefault(Fits)
            ?? throw new ClusterException($"The path {dataDirectory} is too long for a socket: choose a shorter data directory with --data.");
    }

    private static bool Fits(string directory) => Encoding.UTF8.GetByteCount(Path.Combine(directory, SocketName)) < SocketPathBytesMax;
}
