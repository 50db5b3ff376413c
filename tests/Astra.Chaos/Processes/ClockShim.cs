using System.Buffers.Binary;

namespace Astra.Chaos.Processes;

/// <summary>
/// The calendar of each server, to be set at will. A time namespace moves only the monotonic clocks and setting the machine's
/// clock would hit everybody on it, so a few lines of C stand between the process and its C library's clock. The product
/// knows nothing of it.
/// </summary>
internal sealed class ClockShim
{
    private readonly string _library;
    private readonly string _directory;

    private ClockShim(string library, string directory) => (_library, _directory) = (library, directory);

    /// <summary>Null, with the reason, where there is no C compiler.</summary>
    public static async Task<(ClockShim? Shim, string? Problem)> MakeAsync(string directory, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            return (null, "the clock of one process can be moved on Linux only");
        if ((Starter.Find("cc") ?? Starter.Find("gcc") ?? Starter.Find("clang")) is not { } compiler)
            return (null, "there is no C compiler to build what stands between a process and its clock, and setting the machine's clock would hit everybody on it; the simulator moves clocks in every run");
        try
        {
            var library = Path.Combine(directory, "clock.so");
            await Starter.RunAsync([compiler, "-shared", "-fPIC", "-O2", "-o", library, Path.Combine(AppContext.BaseDirectory, "Processes", "clock.c"), "-ldl"], null, cancellationToken);
            return (new ClockShim(library, directory), null);
        }
        catch (InvalidOperationException e)
        {
            return (null, $"what stands between a process and its clock cannot be built ({e.Message.ReplaceLineEndings(" ")})");
        }
    }

    public IReadOnlyDictionary<string, string> EnvironmentOf(ServerProcess server)
    {
        if (!File.Exists(FileOf(server)))
            Set(server, TimeSpan.Zero);
        return new Dictionary<string, string> { ["LD_PRELOAD"] = _library, ["ASTRA_CHAOS_CLOCK"] = FileOf(server) };
    }

    /// <summary>From this moment on the server's calendar is so much ahead of the machine's, or behind.</summary>
    public void Set(ServerProcess server, TimeSpan ahead)
    {
        var seconds = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(seconds, (long)ahead.TotalSeconds);
        using var file = new FileStream(FileOf(server), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(seconds);
    }

    private string FileOf(ServerProcess server) => Path.Combine(_directory, $"clock-{server.Number}");
}
