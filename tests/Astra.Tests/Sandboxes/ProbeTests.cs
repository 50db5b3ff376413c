using Astra.Tests.Sandboxes.Attacks;
using Astra.Tools.Sandboxes;
using Xunit;
using Cages = Astra.Tools.Sandboxes.Sandboxes;

namespace Astra.Tests.Sandboxes;

public sealed class ProbeTests
{
    [Fact]
    public async Task This_machine_has_the_process_sandbox()
    {
        var report = await Cages.ProbeAsync(TestContext.Current.CancellationToken);
        Assert.True(report.Tier == SandboxTier.Process, report.Remedies);
        Assert.NotEmpty(report.Enforced);
    }

    [Fact]
    public async Task Without_a_sandbox_tools_are_refused_with_a_remedy()
    {
        var report = await Cages.ProbeAsync(SandboxTier.MacProfile, TestContext.Current.CancellationToken);
        Assert.Equal(SandboxTier.None, report.Tier);

        var refusal = Assert.Throws<SandboxUnavailableException>(() => Cages.Open(report));

        Assert.Contains("Remedy: ", refusal.Message);
        Assert.Contains("MacProfile", refusal.Message);
    }

    [Fact]
    public void A_report_that_no_probe_made_opens_nothing()
    {
        var report = new SandboxReport
        {
            Tier = SandboxTier.Process, TierName = "claimed", Enforced = ["all"], Missing = [],
        };
        Assert.Throws<SandboxUnavailableException>(() => Cages.Open(report));
    }

    [Fact]
    public async Task The_fallback_is_named_as_what_it_is_in_report_and_receipt()
    {
        var report = await Machine.ReportAsync(SandboxTier.Landlock);
        var receipt = (await Machine.RunAsync(SandboxTier.Landlock, Attack.Shell("true").Spec())).Receipt;

        Assert.Equal(SandboxTier.Landlock, report.Tier);
        Assert.Contains("no namespaces", report.TierName);
        Assert.Equal(report.TierName, receipt.TierName);
        Assert.Contains(receipt.NotEnforced, line => line.StartsWith("scratch bytes", StringComparison.Ordinal));
        Assert.All(report.Missing, m => Assert.NotEmpty(m.Remedy));
    }

    [Theory]
    [InlineData("sh", "/data", "/data")]
    [InlineData("/bin/sh", "relative", "/data")]
    [InlineData("/bin/sh", "/usr", "/proc/self")]
    [InlineData("/bin/sh", "/usr", "/etc/passwd")]
    [InlineData("/bin/sh", "/usr", "/data/../etc")]
    [InlineData("/bin/sh\0x", "/usr", "/data")]
    public async Task A_request_that_makes_no_sense_is_refused(string program, string host, string inside)
    {
        var sandbox = await Machine.OpenAsync(SandboxTier.Process);
        var spec = new SandboxSpec { Program = program, Mounts = [new ReadOnlyMount(host, inside)] };
        await Assert.ThrowsAsync<ArgumentException>(
            () => sandbox.RunAsync(spec, TestContext.Current.CancellationToken).AsTask());
    }

    [Fact]
    public async Task An_option_cannot_be_smuggled_in_through_a_request()
    {
        var spec = Attack.Shell("[ -e /host ] && echo ESCAPED || echo HELD").Spec() with
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["--bind"] = "/", ["X"] = "--bind" },
        };
        var result = await Machine.RunAsync(SandboxTier.Process, spec);
        Assert.Equal("HELD\n", System.Text.Encoding.UTF8.GetString(result.Output.Span));
    }

    [Fact]
    public async Task A_cage_that_cannot_be_built_is_an_error_that_says_why()
    {
        var sandbox = await Machine.OpenAsync(SandboxTier.Process);
        var spec = Attack.Shell("true").Spec() with { Mounts = [new ReadOnlyMount("/does/not/exist", "/data")] };
        var failure = await Assert.ThrowsAsync<SandboxFailedException>(
            () => sandbox.RunAsync(spec, TestContext.Current.CancellationToken).AsTask());
        Assert.Contains("/does/not/exist", failure.Message);
    }
}
