using Astra.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Simulation;

public sealed class SimulationTests
{
    private const int SeedCount = 500;

    [Fact]
    public void Nothing_that_goes_wrong_in_500_worlds_breaks_a_promise()
    {
        var findings = new List<string>();
        var busAnswers = 0L;
        Parallel.For(1, SeedCount + 1, seed =>
        {
            var report = SimulationRun.Run((ulong)seed);
            Interlocked.Add(ref busAnswers, report.BusAnswerCount);
            if (report.Finding is null)
                return;
            lock (findings)
                findings.Add($"astra-simulation --seed {seed} --trace\n{report.Options}\n{report.Finding}");
        });
        Assert.True(findings.Count == 0, $"{findings.Count} of {SeedCount} worlds broke a promise.\n{string.Join("\n\n", findings)}");
        Assert.True(busAnswers > SeedCount / 5, $"The worlds hardly used the bus: {busAnswers} answers.");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(472)]
    public void The_same_seed_is_the_same_world_to_the_last_entry(ulong seed) =>
        Assert.Equal(SimulationRun.Run(seed), SimulationRun.Run(seed));

    [Fact]
    public void Another_seed_is_another_world() =>
        Assert.NotEqual(SimulationRun.Run(1).Fingerprint, SimulationRun.Run(2).Fingerprint);

    [Theory]
    [InlineData(9)] // removed a task, and the log refused the entry
    [InlineData(44)] // a task of a shard that had moved kept its slot for ever
    [InlineData(49)] // two lives of one shard were activated in turn and never came to rest
    [InlineData(110)] // a lost attempt was ready again while what it waited for was being redriven
    [InlineData(472)] // the rows of a shard were lost between two of its lives, and with them its goals
    [InlineData(1981)] // a worker was handed a task with what it waited for as it was after the claim
    [InlineData(11830)] // a lease ended in a commit nobody heard of, and its slot was never free again
    public void A_seed_that_once_found_a_bug_is_clean(ulong seed) =>
        Assert.Null(SimulationRun.Run(seed).Finding);
}
