using System.Diagnostics;
using Astra.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Simulation;

public sealed class SimulationTests
{
    private const int SeedCount = 400;

    private static string Program => Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "astra-simulation.exe" : "astra-simulation");

    [Fact]
    public void Nothing_that_goes_wrong_in_400_worlds_breaks_a_promise_and_every_move_is_made_in_some()
    {
        var findings = new List<string>();
        var coverage = new Coverage();
        var (steps, faults, busAnswers) = (new List<long>(), new List<int>(), 0L);
        Parallel.For(1, SeedCount + 1, seed =>
        {
            var report = SimulationRun.Run((ulong)seed);
            lock (findings)
            {
                coverage.Add(report.Coverage);
                steps.Add(report.StepCount);
                faults.Add(report.Faults.Total);
                busAnswers += report.BusAnswerCount;
                if (report.Finding is not null)
                    findings.Add($"astra-simulation --seed {seed} --trace\n{report.Options}\n{report.Finding}");
            }
        });
        Assert.True(findings.Count == 0, $"{findings.Count} of {SeedCount} worlds broke a promise.\n{string.Join("\n\n", findings)}");
        Assert.True(coverage.Missing.Count == 0, $"Never happened in {SeedCount} worlds: {string.Join(", ", coverage.Missing)}.");
        Assert.True(steps.Order().ElementAt(SeedCount / 2) >= 1_000, "Half of the worlds have fewer than 1,000 steps: they prove little.");
        Assert.True(faults.Order().ElementAt(SeedCount / 2) >= 3, "In half of the worlds hardly anything goes wrong.");
        Assert.True(busAnswers > SeedCount / 5, $"The worlds hardly used the bus: {busAnswers} answers.");
    }

    /// <summary>By the program itself, with the settings it has for many worlds. Not in the fast run.</summary>
    [Fact, Trait("Size", "large")]
    public void Ten_thousand_worlds_are_clean()
    {
        var (exitCode, output, _) = Run("--seeds", "10000");
        Assert.True(exitCode == 0, output);
        Assert.Equal("10000 of 10000 seeds were clean.", output.TrimEnd().Split('\n')[^1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(472)]
    public void The_same_seed_is_the_same_world_to_the_last_entry(ulong seed)
    {
        var (one, other) = (SimulationRun.Run(seed), SimulationRun.Run(seed));
        Assert.Equal((one.Fingerprint, one.StepCount, one.Faults.Total, one.Finding), (other.Fingerprint, other.StepCount, other.Faults.Total, other.Finding));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Two_processes_make_the_same_world_of_a_seed(ulong seed)
    {
        var (one, other) = (Run("--seed", $"{seed}", "--json"), Run("--seed", $"{seed}", "--json"));
        Assert.Equal(0, one.ExitCode);
        Assert.Contains($"{SimulationRun.Run(seed).Fingerprint:x16}", one.Output, StringComparison.Ordinal);
        Assert.Equal(one.Output, other.Output);
    }

    [Fact]
    public void Another_seed_is_another_world() =>
        Assert.NotEqual(SimulationRun.Run(1).Fingerprint, SimulationRun.Run(2).Fingerprint);

    [Theory]
    [InlineData("--seed", "x")]
    [InlineData("--seeds", "0")]
    [InlineData("--seed", "1", "--without", "weather")]
    [InlineData("--seed", "1", "--from", "2")]
    [InlineData("--fast")]
    [InlineData]
    public void What_it_does_not_understand_it_says_in_one_sentence(params string[] arguments)
    {
        var (exitCode, output, error) = Run(arguments);
        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void Many_seeds_end_with_how_many_were_clean()
    {
        var (exitCode, output, _) = Run("--seeds", "3", "--from", "10");
        Assert.Equal(0, exitCode);
        Assert.Equal("3 of 3 seeds were clean.", output.TrimEnd().Split('\n')[^1]);
    }

    [Theory]
    [InlineData(353)] // a dead letter was replayed to wait for what could no longer be, and its goal never ended
    [InlineData(778)] // a fixed dead letter had lost its input when its shard was rebuilt
    [InlineData(3213)] // a worker came back after a person had settled its effect, and was told that its own output was kept
    [InlineData(1023)] // a limit set on a node that was stopping was answered with an exception
    [InlineData(71208)] // why a task waits was asked in the moment it became due, and the answer was an exception
    [InlineData(80865)] // a shard went while it was being started anew, and the slots that its tasks held were never free again
    [InlineData(192099)] // an intent came once more after its outcome, and began the effect again
    [InlineData(979894)] // a failure was accepted of an attempt that had been given up, because the task had died of its deadline meanwhile
    [InlineData(990960)] // the same
    [InlineData(83257)] // a goal went on and its task was claimed again before the end of the attempt before was durable, whose place below a limit was never free again
    [InlineData(718282)] // a task that had become due was handed out although the calendar had been set back to before its start
    [InlineData(684812)] // a claim was refused after its worker had left, and its task was never on offer again
    [InlineData(638565)] // the audit of waits held what a rate kept back against the bound
    [InlineData(455400)] // a finished goal that was resumed was shown as before to whoever repeated its submission
    public void A_seed_that_once_found_a_bug_is_clean(ulong seed) =>
        Assert.Null(SimulationRun.Run(seed).Finding);

    private static (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
