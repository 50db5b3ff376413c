using System.Globalization;

namespace Astra.Chaos.Processes;

/// <summary>A file system of its own and of a known size for the database, so that it can be filled without hurting anybody.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly bool _isMounted;

    private SmallDisk(string path, bool isMounted) => (Path, _isMounted) = (path, isMounted);

    public string Path { get; }

    /// <summary>Why it is no file system of its own, and cannot be filled; null when it is one.</summary>
    public string? Problem { get; private init; }

    private string BallastPath => System.IO.Path.Combine(Path, "ballast");

    public static async Task<SmallDisk> MakeAsync(string path, long bytes, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(path);
        try
        {
            await Starter.RunAsync(["mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={bytes},mode=0755"), "astra-chaos", path], null, cancellationToken);
            return new SmallDisk(path, isMounted: true);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return new SmallDisk(path, isMounted: false) { Problem = $"no file system can be mounted here ({e.Message.ReplaceLineEndings(" ")})" };
        }
    }

    /// <summary>Takes all the space there is. Returns when not a page is left.</summary>
    public void Fill()
    {
        using var ballast = new FileStream(BallastPath, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var size in (int[])[1 << 20, 4096])
        {
            var piece = new byte[size];
            try
            {
                while (true)
                    ballast.Write(piece);
            }
            catch (IOException)
            {
                // Full for pieces of this size.
            }
        }
    }

    public void Free() => File.Delete(BallastPath);

    public async ValueTask DisposeAsync()
    {
        if (!_isMounted)
            return;
        try
        {
            await Starter.RunAsync(["umount", "-l", Path], null, CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            // The mount namespace it lives in ends with this program.
        }
    }
}
