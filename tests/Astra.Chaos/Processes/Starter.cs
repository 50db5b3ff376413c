using System.Collections.Concurrent;
using System.Diagnostics;

namespace Astra.Chaos.Processes;

/// <summary>
/// Starts every process of a run, and from one thread that lives as long as this program: the kernel ends what was
/// started with a death signal when the thread that started it ends. So nothing is left however this program ends.
/// </summary>
internal static class Starter
{
    private static readonly BlockingCollection<Action> Orders = [];

    public static string? SetPriv { get; } = Find("setpriv");

    static Starter() => new Thread(() =>
    {
        foreach (var order in Orders.GetConsumingEnumerable())
            order();
    })
    { IsBackground = true, Name = "starter" }.Start();

    /// <param name="log">What it says is added to this file.</param>
    /// <param name="account">Whom it runs as; null for whoever runs this program.</param>
    /// <param name="deathSignal">What it gets when this program ends.</param>
    public static Process Start(IReadOnlyList<string> command, string log, IReadOnlyDictionary<string, string>? environment = null, string? account = null, string deathSignal = "KILL")
    {
        List<string> words = [];
        if (SetPriv is not null)
            words.AddRange([SetPriv, .. account is null ? (string[])[] : ["--reuid", account, "--regid", account, "--clear-groups"], "--pdeathsig", deathSignal, "--"]);
        else if (account is not null)
            throw new InvalidOperationException("setpriv (util-linux) is missing; as root it is needed to start PostgreSQL under an account of its own.");
        words.AddRange(command);

        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, WorkingDirectory = "/" };
        // The shell only opens the log and becomes the program: the process id is the program's.
        foreach (var word in (string[])["-c", "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1", "sh", log, .. words])
            start.ArgumentList.Add(word);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal) || name.StartsWith("ASTRA_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return OnThread(() => Process.Start(start)!);
    }

    /// <summary>Runs a program to its end, and answers what it said.</summary>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, string? account, CancellationToken cancellationToken)
    {
        var log = Path.GetTempFileName();
        try
        {
            using var process = Start(command, log, account: account);
            await process.WaitForExitAsync(cancellationToken);
            var said = await File.ReadAllTextAsync(log, cancellationToken);
            return process.ExitCode == 0 ? said : throw new InvalidOperationException($"`{string.Join(' ', command)}` ended with {process.ExitCode}: {said.Trim()}");
        }
        finally
        {
            File.Delete(log);
        }
    }

    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Append("/sbin").Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    private static T OnThread<T>(Func<T> make)
    {
        var made = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Orders.Add(() =>
        {
            try
            {
                made.SetResult(make());
            }
            catch (Exception e)
            {
                made.SetException(e);
            }
        });
        return made.Task.GetAwaiter().GetResult();
    }
}
