using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Astra.Tools.Sandboxes;
using Xunit;
using Cages = Astra.Tools.Sandboxes.Sandboxes;

namespace Astra.Tests.Sandboxes;

/// <summary>The cages of the machine that the tests run on, and what can be seen on it from outside.</summary>
internal static class Machine
{
    private static readonly ConcurrentDictionary<SandboxTier, Task<SandboxReport>> Reports = new();

    public static bool IsRoot { get; } = Environment.UserName == "root";

    public static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public static Task<SandboxReport> ReportAsync(SandboxTier tier) =>
        Reports.GetOrAdd(tier, t => Cages.ProbeAsync(t).AsTask());

    public static async Task<ISandbox> OpenAsync(SandboxTier tier) => Cages.Open(await ReportAsync(tier));

    public static async Task<SandboxResult> RunAsync(SandboxTier tier, SandboxSpec spec) =>
        await (await OpenAsync(tier)).RunAsync(spec, TestContext.Current.CancellationToken);

    /// <summary>Processes of the whole machine whose command line contains a text that only the test knows.</summary>
    public static IReadOnlyList<int> ProcessesWith(string marker) =>
    [
        .. from directory in Directory.EnumerateDirectories("/proc")
           let name = Path.GetFileName(directory)
           where int.TryParse(name, out var pid) && pid != Environment.ProcessId
           where TextOf(Path.Combine(directory, "cmdline")).Contains(marker, StringComparison.Ordinal)
           select int.Parse(name),
    ];

    /// <summary>Cgroups and directories that runs of this process have not given back.</summary>
    public static IReadOnlyList<string> LeftOvers() => LeftOversOf(Environment.ProcessId);

    public static IReadOnlyList<string> LeftOversOf(int pid)
    {
        var pattern = $"astra-run-{pid}-*";
        return
        [
            .. CgroupDirectories().SelectMany(d => Directory.EnumerateDirectories(d, pattern)),
            .. Directory.EnumerateFileSystemEntries(Path.GetTempPath(), pattern),
        ];
    }

    /// <summary>This process's own cgroup in every tree: runs make theirs below.</summary>
    public static IEnumerable<string> CgroupDirectories() =>
        from line in File.ReadLines("/proc/self/cgroup")
        let parts = line.Split(':', 3)
        from root in (string[])
        [
            "/sys/fs/cgroup", "/sys/fs/cgroup/unified", .. parts[1].Split(',').Select(c => "/sys/fs/cgroup/" + c),
            "/sys/fs/cgroup/" + parts[1],
        ]
        let directory = root + parts[2].TrimEnd('/')
        where parts[1].Length == 0 || root.Length > "/sys/fs/cgroup".Length
        where Directory.Exists(directory)
        select directory;

    /// <summary>Waits for something that becomes true by itself, and fails when it does not.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        while (!condition())
            try
            {
                await ticks.WaitForNextTickAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"It never came true that {what}.");
            }
    }

    private static string TextOf(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
