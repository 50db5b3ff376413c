using System.Diagnostics;
using System.Runtime.InteropServices;
using Astra.Hosting;
using Astra.Sdk;
using Astra.Tests.Durability;

namespace Astra.Tests.EndToEnd;

/// <summary>
/// A directory that stands for a machine: a home, data directories, and the real `astra` started on them. When the test
/// ends, however it ends, no process of it is left and neither is the directory.
/// </summary>
internal sealed class AstraMachine : IAsyncDisposable
{
    private static readonly TimeSpan QuitTimeMax = TimeSpan.FromSeconds(5);

    private readonly List<AstraProcess> _started = [];

    public AstraMachine() => Folder("home");

    public string Root { get; } = PostgresFixture.NewDirectory();

    /// <summary>The data directory of commands that name no other.</summary>
    public DataDirectory Data => DataOf("data");

    public Dictionary<string, string> Environment { get; } = [];

    // The runtime that runs the tests; the one on PATH may be another, or not there.
    public static string Dotnet { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    public DataDirectory DataOf(string name) => new(Path.Combine(Root, name));

    public string Folder(string name) => Directory.CreateDirectory(Path.Combine(Root, name)).FullName;

    public string Write(string name, string content)
    {
        var path = Path.Combine(Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return path;
    }

    public AstraProcess Astra(params string[] arguments) => StartOn(Data, arguments);

    public AstraProcess StartOn(DataDirectory data, params string[] arguments)
    {
        var start = new ProcessStartInfo(Dotnet) { WorkingDirectory = Root };
        foreach (var word in (string[])[Path.Combine(AppContext.BaseDirectory, "astra.dll"), .. arguments, "--data", data.Path])
            start.ArgumentList.Add(word);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("ASTRA_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        // The caches of whoever runs the tests are none of this machine's.
        start.Environment["HOME"] = Folder("home");
        start.Environment["NUGET_PACKAGES"] = Path.Combine(Root, "home", "nuget");
        start.Environment["npm_config_cache"] = Path.Combine(Root, "home", "npm");
        foreach (var name in (string[])["VIRTUAL_ENV", "PYENV_ROOT", "npm_config_prefix", "NPM_CONFIG_PREFIX", "NPM_CONFIG_CACHE"])
            start.Environment.Remove(name);
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        return Run(start);
    }

    public AstraProcess Run(ProcessStartInfo start)
    {
        var process = new AstraProcess(start);
        _started.Add(process);
        return process;
    }

    /// <summary>A server that answers.</summary>
    public async Task<AstraProcess> ServeAsync(DataDirectory data, params string[] options)
    {
        var server = StartOn(data, ["serve", "--port", "0", .. options]);
        await server.SaysAsync("Astra answers at");
        return server;
    }

    /// <summary>A client of the server on a data directory, as soon as there is one.</summary>
    /// <param name="keyFrom">Whose key to use; by default the server's own.</param>
    public static async Task<AstraClient> ClientAsync(DataDirectory data, DataDirectory? keyFrom = null)
    {
        var file = await Eventually.SeeAsync($"a server on {data.Path}", () => Task.FromResult(data.ReadServerFile()));
        return new AstraClient(file.Address, (keyFrom ?? data).ReadAdminKey() ?? throw new InvalidOperationException("There is no key."));
    }

    public static async Task<string> ScrapeAsync(Uri address, string key)
    {
        using var http = new HttpClient { BaseAddress = address, DefaultRequestHeaders = { Authorization = new("Bearer", key) } };
        return await http.GetStringAsync("/metrics");
    }

    /// <summary>Every process that works in this machine's directories or names them, cages and databases included.</summary>
    public IReadOnlyList<string> Processes() =>
    [
        .. from directory in Directory.EnumerateDirectories("/proc")
           let pid = Path.GetFileName(directory)
           where int.TryParse(pid, out var number) && number != System.Environment.ProcessId
           let command = CommandOf(directory)
           where command.Contains(Root, StringComparison.Ordinal) || PlaceOf(directory).StartsWith(Root, StringComparison.Ordinal)
           select $"{pid} {command}",
    ];

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _started)
            process.Dispose();
        var asked = Stopwatch.StartNew();
        await Eventually.HoldsAsync("every process of the test is gone", () =>
        {
            // PostgreSQL gives its shared memory back when it may end by itself.
            var signal = asked.Elapsed < QuitTimeMax ? AstraProcess.QuitSignal : AstraProcess.KillSignal;
            var left = Processes();
            foreach (var process in left)
                _ = AstraProcess.Signal(int.Parse(process.Split(' ')[0]), signal);
            return Task.FromResult(left.Count == 0);
        });
        Directory.Delete(Root, recursive: true);
    }

    private static string CommandOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string PlaceOf(string process)
    {
        try
        {
            return new DirectoryInfo(Path.Combine(process, "cwd")).LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
