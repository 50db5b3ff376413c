using Astra.Tools.Sandboxes.Linux;

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
            if (OperatingSystem.IsLinux()) TreeRemoval.Remove(directory);
            else Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SandboxFailedException)
        {
            // Harmless, readable by this account only, and tried again by the next sweep. The run's result
            // is worth more than its rubbish.
        }
    }
}
