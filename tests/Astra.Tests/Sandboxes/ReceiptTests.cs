using System.Text;
using Astra.Tests.Sandboxes.Attacks;
using Astra.Tools.Sandboxes;
using Xunit;

namespace Astra.Tests.Sandboxes;

public sealed class ReceiptTests
{
    [Fact]
    public async Task A_receipt_says_what_the_run_did()
    {
        var result = await RunAsync("echo result; echo log >&2; echo a > /output/a; echo b > /tmp/b; exit 7");
        var receipt = result.Receipt;

        Assert.Equal("result\n", Text(result.Output));
        Assert.Equal("log\n", Text(result.Error));
        Assert.Equal(SandboxTier.Process, receipt.Tier);
        Assert.Contains("bubblewrap", receipt.TierName);
        Assert.Equal(7, receipt.ExitCode);
        Assert.Null(receipt.Signal);
        Assert.Empty(receipt.LimitsHit);
        Assert.Equal(["/output/a", "/tmp/b"], receipt.FilesWritten.Value);
        Assert.True(receipt.Duration > TimeSpan.Zero);
        Assert.NotEmpty(receipt.Enforced);
    }

    [Fact]
    public async Task What_a_tier_cannot_see_is_not_observed_and_never_an_empty_list()
    {
        var receipt = (await RunAsync("cat /usr/bin/true > /dev/null")).Receipt;

        Assert.False(receipt.FilesRead.IsObserved);
        Assert.False(receipt.HostsTried.IsObserved);
        Assert.NotEmpty(receipt.FilesRead.WhyNot);
        Assert.Throws<InvalidOperationException>(() => receipt.HostsTried.Value);
        Assert.StartsWith("not observed", receipt.FilesRead.ToString());
    }

    [Fact]
    public async Task A_run_that_writes_nothing_is_observed_to_write_nothing() =>
        Assert.Empty((await RunAsync("true")).Receipt.FilesWritten.Value);

    [Fact]
    public void An_observation_that_nobody_made_is_not_observed()
    {
        Observed<int> nothing = default;
        Assert.False(nothing.IsObserved);
        Assert.Throws<InvalidOperationException>(() => nothing.Value);
    }

    [Fact]
    public async Task Processor_time_and_memory_are_counted_over_all_processes()
    {
        var report = await Machine.ReportAsync(SandboxTier.Process);
        var receipt = (await RunAsync("perl -e '$x = q(x) x 20000000; 1 for 1..2000000'; true")).Receipt;
        if (report.Missing.Any(m => m.What.StartsWith("memory", StringComparison.Ordinal)))
        {
            Assert.False(receipt.MemoryPeakBytes.IsObserved);
            return;
        }
        Assert.True(receipt.Cpu.Value > TimeSpan.FromMilliseconds(5));
        Assert.True(receipt.MemoryPeakBytes.Value > 20_000_000);
    }

    [Fact]
    public async Task A_program_that_is_killed_has_a_signal_and_no_exit_code()
    {
        var receipt = (await RunAsync("kill -SEGV $$")).Receipt;
        Assert.Null(receipt.ExitCode);
        Assert.Equal(11, receipt.Signal);
    }

    [Theory]
    [InlineData("ulimit -n; exec 3>/tmp/x; :", SandboxTier.Process)]
    [InlineData("ulimit -n; :", SandboxTier.Landlock)]
    public async Task Open_files_are_limited(string command, SandboxTier tier)
    {
        var result = await Machine.RunAsync(tier, Attack.Shell(command).Spec(new SandboxLimits { OpenFiles = 32 }));
        Assert.Equal("32\n", Text(result.Output));
    }

    [Theory]
    [InlineData(SandboxTier.Process)]
    [InlineData(SandboxTier.Landlock)]
    public async Task The_limit_that_ended_a_run_is_named(SandboxTier tier)
    {
        var spin = await Machine.RunAsync(
            tier, Attack.Shell("while :; do :; done").Spec(new SandboxLimits { Cpu = TimeSpan.FromMilliseconds(100) }));
        Assert.Contains(SandboxLimit.Cpu, spin.Receipt.LimitsHit);

        var sleep = await Machine.RunAsync(
            tier, Attack.Shell("sleep 600").Spec(new SandboxLimits { Wall = TimeSpan.FromMilliseconds(300) }));
        Assert.Equal([SandboxLimit.Wall], sleep.Receipt.LimitsHit);

        var large = Attack.Shell("exec head -c 3000000 /dev/zero > $SCRATCH/x");
        var file = await Machine.RunAsync(tier, large.Spec(new SandboxLimits { FileBytes = 1 << 20 }));
        Assert.Contains(SandboxLimit.FileSize, file.Receipt.LimitsHit);
    }

    [Theory]
    [InlineData(SandboxTier.Process)]
    [InlineData(SandboxTier.Landlock)]
    public async Task A_program_gets_its_arguments_its_input_and_no_environment_but_its_own(SandboxTier tier)
    {
        var input = Encoding.UTF8.GetBytes(new string('x', 1_000_000));
        var spec = new SandboxSpec
        {
            Program = "/bin/sh",
            Arguments = ["-c", "wc -c; echo \"$1\"; env | cut -d= -f1 | sort | tr '\\n' ' '", "sh", "ä 'quoted'\n"],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["LANG"] = "C" },
            Input = input,
        };
        var lines = Text((await Machine.RunAsync(tier, spec)).Output).Split('\n');
        Assert.Equal("1000000", lines[0]);
        Assert.Equal("ä 'quoted'", lines[1]);
        // The shell adds some of its own.
        var variables = lines[3].Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Except(["LANG", "PWD", "OLDPWD", "_", "SHLVL"]);
        Assert.Equal(tier == SandboxTier.Process ? [] : ["OUTPUT_DIR", "TMPDIR"], variables);
    }

    [Theory]
    [InlineData(SandboxTier.Process)]
    [InlineData(SandboxTier.Landlock)]
    public async Task A_program_that_does_not_read_its_input_is_not_waited_for(SandboxTier tier)
    {
        var spec = Attack.Shell("exec 0<&-; echo done").Spec() with { Input = new byte[4 << 20] };
        Assert.Equal("done\n", Text((await Machine.RunAsync(tier, spec)).Output));
    }

    [Theory]
    [InlineData(SandboxTier.Process)]
    [InlineData(SandboxTier.Landlock)]
    public async Task A_dotnet_program_runs_inside(SandboxTier tier)
    {
        var library = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var runtime = Path.GetFullPath(Path.Combine(library, "../../.."));
        var spec = new SandboxSpec
        {
            Program = "/app/Astra.Tests",
            Arguments = [SelfTest.Hello],
            Mounts =
            [
                new ReadOnlyMount(AppContext.BaseDirectory.TrimEnd('/'), "/app"),
                new ReadOnlyMount(runtime, "/dotnet"),
            ],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["DOTNET_ROOT"] = "/dotnet",
                ["DOTNET_EnableDiagnostics"] = "0",
            },
            Input = "over a pipe"u8.ToArray(),
        };
        var result = await Machine.RunAsync(tier, spec);
        Assert.Equal("hello from .NET, over a pipe\n", Text(result.Output) + Text(result.Error));
    }

    private static Task<SandboxResult> RunAsync(string command) =>
        Machine.RunAsync(SandboxTier.Process, Attack.Shell(command).Spec());

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
