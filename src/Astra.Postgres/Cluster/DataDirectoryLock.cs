using System.Security.Cryptography;
using Astra.Kernel;

namespace Astra.Postgres.Cluster;

/// <summary>
/// A data directory, held by one living server at a time. The operating system lets go of the lock when the process
/// ends, however it ends, so a crash never leaves anything to clean up.
/// </summary>
public sealed class DataDirectoryLock : IDisposable
{
    private readonly FileStream _lock;

    private DataDirectoryLock(string path, FileStream heldLock, NodeId node)
    {
        Path = path;
        Node = node;
        _lock = heldLock;
    }

    public string Path { get; }

    /// <summary>The name this node keeps across restarts; whoever holds the lock may claim it.</summary>
    public NodeId Node { get; }

    public static DataDirectoryLock Acquire(string dataDirectory)
    {
        var path = System.IO.Path.GetFullPath(dataDirectory);
        FileStream? held = null;
        try
        {
            Directory.CreateDirectory(path);
            held = Hold(System.IO.Path.Combine(path, "astra.lock"), path);
            return new DataDirectoryLock(path, held, ReadOrMakeNodeId(System.IO.Path.Combine(path, "node")));
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            held?.Dispose();
            throw new ClusterException($"The data directory {path} cannot be used ({exception.Message}): give this user the right to write there, or choose another with --data.", exception);
        }
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Hold(string file, string directory)
    {
        try
        {
            // FileShare.None is an exclusive advisory lock. The file stays when it is released: deleting it would let
            // two servers hold locks on two files of the same name.
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(file))
        {
            throw new ClusterException($"Another Astra server is running on {directory}: stop it with `astra down`, or choose another directory with --data.");
        }
    }

    private static NodeId ReadOrMakeNodeId(string file)
    {
        if (File.Exists(file) && File.ReadAllText(file).Trim() is { Length: > 0 } known)
            return new NodeId(known);

        var made = $"{Environment.MachineName.ToLowerInvariant()}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        // Written beside and moved, so that a crash leaves the whole name or none.
        File.WriteAllText(file + ".new", made + "\n");
        File.Move(file + ".new", file, overwrite: true);
        return new NodeId(made);
    }
}
