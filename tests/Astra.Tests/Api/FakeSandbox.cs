using System.Text;
using Astra.Tools.Sandboxes;

namespace Astra.Tests.Api;

/// <summary>Says what a test tells it to say, and remembers what it was asked to run. It runs nothing.</summary>
internal sealed class FakeSandbox : ISandbox
{
    public SandboxTier Tier => SandboxTier.Process;
    public List<SandboxSpec> Runs { get; } = [];
    public Func<SandboxSpec, SandboxResult> Answer { get; set; } = spec => Result(spec.Arguments.Count > 1 ? $"ran {spec.Arguments[1]}" : "null");

    public ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken ct)
    {
        lock (Runs)
            Runs.Add(spec);
        return ValueTask.FromResult(Answer(spec));
    }

    public static SandboxResult Result(string output, int exitCode = 0, string error = "", params SandboxLimit[] limitsHit) => new(
        Encoding.UTF8.GetBytes(output), Encoding.UTF8.GetBytes(error), [],
        new SandboxReceipt
        {
            Tier = SandboxTier.Process, TierName = "fake", ExitCode = exitCode, Signal = null, LimitsHit = limitsHit,
            Cpu = Observed.Value(TimeSpan.FromMilliseconds(3)), MemoryPeakBytes = Observed.Not<long>("nobody looked"),
            FilesWritten = Observed.Value<IReadOnlyList<string>>(["/tmp/a"]), FilesRead = Observed.Not<IReadOnlyList<string>>("nobody looked"),
            HostsTried = Observed.Not<IReadOnlyList<string>>("nobody looked"), Duration = TimeSpan.FromMilliseconds(7), Enforced = [], NotEnforced = ["nothing"],
        });
}
