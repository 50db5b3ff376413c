using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Astra.Chaos.Processes;

/// <summary>One `astra serve`, with a data directory of its own, on a database that it reaches through a proxy.</summary>
internal sealed class ServerProcess(int number, string directory, int port, Func<string, string> databaseFor, ClockShim? clock)
    : Kept($"server {number}", TimeSpan.FromMilliseconds(200))
{
    public int Number => number;

    public int Port => port;

    public Uri Address { get; } = new($"http://127.0.0.1:{port}");

    public string LogPath { get; } = Path.Combine(directory, $"server-{number}.log");

    public string DataPath { get; } = Path.Combine(directory, $"server-{number}");

    /// <summary>The runtime that runs this program; the one on PATH may be another, or not there.</summary>
    public static string Dotnet { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    /// <summary>Who writes to the log of the database: this server, since it was started for the last time.</summary>
    public string Writer => string.Create(CultureInfo.InvariantCulture, $"{number}.{StartCount}");

    public string? ReadKey()
    {
        var file = Path.Combine(DataPath, "admin.key");
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }

    public long? ResidentBytes => ProcessId is { } id ? Proc.ResidentBytes(id) : null;

    protected override Process Begin()
    {
        Directory.CreateDirectory(DataPath);
        return Starter.Start(
            [Dotnet, Path.Combine(AppContext.BaseDirectory, "astra.dll"), "serve", "--port", port.ToString(CultureInfo.InvariantCulture), "--data", DataPath, "--database", databaseFor(Writer), "--open-metrics"],
            LogPath,
            clock?.EnvironmentOf(this));
    }
}

/// <summary>What the kernel tells of a process.</summary>
internal static class Proc
{
    public static long? ResidentBytes(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null ? null : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static int OpenFiles(int process)
    {
        try
        {
            return Directory.GetFiles($"/proc/{process}/fd").Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
