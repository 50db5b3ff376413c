using System.Buffers;
using System.Diagnostics;
using System.Globalization;

namespace Astra.Tools.Sandboxes.Mac;

/// <summary>
/// macOS: <c>sandbox-exec</c> with a profile that denies by default, and the shell's resource limits. Not
/// tested: it was written from Apple's documentation, without a Mac. The probe decides on each machine
/// whether it holds.
/// </summary>
/// <remarks>Paths inside are the host's, as in the Landlock tier. Memory and number of processes cannot be
/// limited, and a process that leaves its parent outlives the run; the profile still binds it.</remarks>
internal sealed class MacSandbox : ICheckedSandbox
{
    public const string Launcher = "/usr/bin/sandbox-exec";

    private static readonly TimeSpan DrainTimeMax = TimeSpan.FromSeconds(1);

    public SandboxTier Tier => SandboxTier.MacProfile;

    public SandboxReport Report(IReadOnlyList<MissingProtection> strongerTiers) => new()
    {
        Tier = Tier,
        TierName = "sandbox-exec profile (not tested)",
        Enforced =
        [
            "only the mounts and system libraries can be read, only the run's own directories written",
            "no network",
            "an environment of its own",
            "wall time, output bytes; processor time, open files and file size of each process",
        ],
        Missing =
        [
            .. strongerTiers,
            new("memory, number of processes, scratch bytes", "macOS has no such limit for a group of processes",
                "run tools on Linux, or in a container"),
            new("processes that outlive the run", "macOS has no process namespaces",
                "run tools on Linux, or in a container"),
        ],
        Tried = this,
    };

    public async ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken ct)
    {
        spec.Check();
        ct.ThrowIfCancellationRequested();
        // Without openat2 there is no safe way to walk a directory that a tool has filled.
        if (spec.CollectOutputFiles)
            throw new SandboxFailedException("On macOS a tool returns its results on standard output.");
        using var scratch = new ScratchDirectory();
        using var process = new Process { StartInfo = Start(spec, scratch) };
        var started = Stopwatch.GetTimestamp();
        process.Start();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var drained = new CancellationTokenSource();
        deadline.CancelAfter(spec.Limits.Wall);
        await using var killing = deadline.Token.Register(() => process.Kill(entireProcessTree: true));

        var output = CaptureAsync(
            process.StandardOutput.BaseStream, spec.Limits.OutputBytes, deadline.Cancel, drained.Token);
        var error = CaptureAsync(process.StandardError.BaseStream, spec.Limits.ErrorBytes, () => { }, drained.Token);
        var input = FeedAsync(process.StandardInput.BaseStream, spec.Input, drained.Token);
        await process.WaitForExitAsync(CancellationToken.None);
        var duration = Stopwatch.GetElapsedTime(started);
        // A process that outlives its parent may hold the pipes open for ever.
        drained.CancelAfter(DrainTimeMax);
        await Task.WhenAll(output, error, input);
        ct.ThrowIfCancellationRequested();

        var hit = new SortedSet<SandboxLimit>();
        if (duration >= spec.Limits.Wall) hit.Add(SandboxLimit.Wall);
        if ((await output).WasCut) hit.Add(SandboxLimit.Output);
        if ((await error).WasCut) hit.Add(SandboxLimit.ErrorOutput);
        return new SandboxResult((await output).Kept, (await error).Kept, [], Receipt(process.ExitCode, duration, hit));
    }

    private static ProcessStartInfo Start(SandboxSpec spec, ScratchDirectory scratch)
    {
        var places = new HostPlaces(spec, scratch);
        var start = new ProcessStartInfo("/bin/sh")
        {
            UseShellExecute = false,
            WorkingDirectory = scratch.Temporary,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        const int blockBytes = 512;
        var limits = spec.Limits;
        var script = string.Create(
            CultureInfo.InvariantCulture,
            $"""
             ulimit -c 0 && ulimit -t {Math.Ceiling(limits.Cpu.TotalSeconds)} && ulimit -n {limits.OpenFiles} \
                 && ulimit -f {limits.FileBytes / blockBytes} && exec "$@"
             """);
        IEnumerable<string> arguments =
        [
            "-c", script, "sh", Launcher, "-p", MacProfile.For(spec, scratch.Root), places.Program, .. places.Arguments,
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        start.Environment.Clear();
        foreach (var (name, value) in places.Environment) start.Environment[name] = value;
        return start;
    }

    private static async Task FeedAsync(Stream stream, ReadOnlyMemory<byte> input, CancellationToken ct)
    {
        try
        {
            await using (stream) await stream.WriteAsync(input, ct);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // A program that does not read its input is within its rights.
        }
    }

    private static async Task<(ReadOnlyMemory<byte> Kept, bool WasCut)> CaptureAsync(
        Stream stream, long limit, Action whenCut, CancellationToken ct)
    {
        var kept = new ArrayBufferWriter<byte>();
        var buffer = new byte[64 << 10];
        var wasCut = false;
        try
        {
            while (await stream.ReadAsync(buffer, ct) is var count and > 0)
            {
                var room = (int)Math.Min(limit - kept.WrittenCount, count);
                kept.Write(buffer.AsSpan(0, room));
                if (room == count || wasCut) continue;
                wasCut = true;
                whenCut();
            }
        }
        catch (OperationCanceledException)
        {
            // What came until now is the output.
        }
        return (kept.WrittenMemory, wasCut);
    }

    // The base library reports a signal the way shells do.
    private SandboxReceipt Receipt(int exitCode, TimeSpan duration, SortedSet<SandboxLimit> hit)
    {
        const int signalBase = 128;
        const string untraced = "this tier does not trace it";
        var report = Report([]);
        return new SandboxReceipt
        {
            Tier = Tier,
            TierName = report.TierName,
            ExitCode = exitCode > signalBase ? null : exitCode,
            Signal = exitCode > signalBase ? exitCode - signalBase : null,
            LimitsHit = [.. hit],
            Cpu = Observed.Not<TimeSpan>(untraced),
            MemoryPeakBytes = Observed.Not<long>(untraced),
            FilesWritten = Observed.Not<IReadOnlyList<string>>(untraced),
            FilesRead = Observed.Not<IReadOnlyList<string>>(untraced),
            HostsTried = Observed.Not<IReadOnlyList<string>>(untraced),
            Duration = duration,
            Enforced = report.Enforced,
            NotEnforced = [.. report.Missing.Select(m => $"{m.What}: {m.Why}")],
        };
    }
}
