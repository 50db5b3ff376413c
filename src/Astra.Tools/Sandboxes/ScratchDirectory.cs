namespace Astra.Tools.Sandboxes;

/// <summary>The writable directories of one run where it has no file systems of its own: on the host's disk,
/// gone with the run.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    // Nobody but this account may enter it.
    private readonly string _path = Directory.CreateTempSubdirectory(RunName.Next() + "-").FullName;

    public ScratchDirectory()
    {
        Directory.CreateDirectory(Temporary);
        Directory.CreateDirectory(Output);
    }

    public string Root => _path;

    public string Temporary => Path.Combine(_path, "tmp");

    public string Output => Path.Combine(_path, "output");

    /// <summary>What dead servers left.</summary>
    public static void SweepLeftOvers()
    {
        foreach (var directory in Directory.EnumerateDirectories(Path.GetTempPath()).ToList())
            if (RunName.IsLeftOver(Path.GetFileName(directory))) Delete(directory);
    }

    public void Dispose() => Delete(_path);

    private static void Delete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A tool can nest directories deeper than any path is long, or take away its own right to list
            // them. What is left is harmless, owned by this account, and tried again by the next sweep.
        }
    }
}
