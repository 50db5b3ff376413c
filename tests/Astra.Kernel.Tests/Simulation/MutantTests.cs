using System.Diagnostics;
using System.Reflection;
using Astra.Simulation.Mutants;
using Xunit;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>The instrument is tested too: what it is there to notice is done to the kernel, and it notices.</summary>
public sealed class MutantTests
{
    // A slice that is found within a few worlds; the table of all is in docs/reliability.md.
    private const string FoundSoon =
        "no-fencing,acknowledge-before-commit,dispatch-before-commit,takeover-without-replay,two-leases,reaper-off,double-dispatch-after-reconnect,"
        + "completion-from-old-attempt,unbounded-retries,lost-unblock,dependency-count-off-by-one,goal-ends-early,projection-skips-one,effect-resent,pause-ignored";

    /// <summary>A constant is looked up by the compiler alone: a field that is one cannot be read by any code that was
    /// built, and no code can set it.</summary>
    [Fact]
    public void The_product_has_no_mutants()
    {
        var mutants = typeof(KernelNode).Assembly.GetType("Astra.Kernel.Mutants", throwOnError: true)!;
        var members = mutants.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly);
        Assert.All(members, member => Assert.True(member is FieldInfo { IsLiteral: true } constant && constant.GetRawConstantValue() is false, $"{member} is not the constant false."));
        Assert.True(members.Length >= 40);
        Assert.False(MutantSwitches.AreReal);
    }

    [Fact]
    public void Each_mutant_says_which_promise_it_breaks() =>
        Assert.Equal(MutantSwitches.Names.Order(StringComparer.Ordinal), MutantCatalog.Names.Order(StringComparer.Ordinal));

    [Fact]
    public async Task Broken_promises_are_noticed_within_a_few_hundred_worlds()
    {
        var (exitCode, output) = await SimulateAsync("--mutants", "--seeds-max", "500", "--only", FoundSoon);
        Assert.True(exitCode == 0, output);
        Assert.Equal(FoundSoon.Split(',').Length, output.Split('\n').Count(line => line.StartsWith("| ", StringComparison.Ordinal)) - 1);
    }

    [Fact]
    public async Task A_whole_kernel_is_not_taken_for_a_broken_one()
    {
        var (exitCode, output) = await SimulateAsync("--seeds", "20");
        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public async Task A_mutant_that_does_not_exist_is_named()
    {
        var (exitCode, output) = await SimulateAsync("--mutant", "no-such-thing", "--seeds", "1");
        Assert.Equal(2, exitCode);
        Assert.Contains("There is no mutant no-such-thing", output, StringComparison.Ordinal);
    }

    /// <summary>In a process of its own, because its kernel is another build of the same sources.</summary>
    private static async Task<(int ExitCode, string Output)> SimulateAsync(params string[] arguments)
    {
        const string Here = "Astra.Kernel.Tests";
        var own = AppContext.BaseDirectory;
        var place = own.LastIndexOf(Here, StringComparison.Ordinal);
        var start = new ProcessStartInfo(Path.Combine($"{own[..place]}Astra.Simulation{own[(place + Here.Length)..]}", "astra-simulation"), arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
