using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>The script `./astra` in a clone of a few empty files, with a `dotnet` that only notes that it was called.</summary>
public sealed class ScriptTests : IDisposable
{
    private readonly ScriptWorld _world = new();

    [Fact]
    public async Task The_script_is_plain_POSIX_shell()
    {
        Assert.SkipUnless(File.Exists("/bin/dash"), "There is no dash here.");
        var said = await _world.RunAsync("/bin/dash", "-n", _world.Script);
        Assert.Equal((0, ""), (said.ExitCode, said.Error));
    }

    [Fact]
    public async Task It_builds_once_and_hands_every_argument_on_untouched()
    {
        var first = await _world.AstraAsync("why", "a b", "", "*", "--yes", "$HOME");
        Assert.Equal(["why", "a b", "", "*", "$HOME"], first.Out.TrimEnd('\n').Split('\n'));
        Assert.Contains("Building Astra (once", first.Error);
        Assert.Empty((await _world.AstraAsync("why")).Error);
        Assert.Equal(1, _world.PublishCount);
    }

    [Fact]
    public async Task It_exits_as_the_binary_does()
    {
        _world.BinaryExitCode = 2;
        Assert.Equal(2, (await _world.AstraAsync("run", "audit", ".")).ExitCode);
    }

    [Theory]
    [InlineData("src/Astra/Program.cs")]
    [InlineData("Directory.Build.props")]
    [InlineData("build/Walls.targets")]
    public async Task A_changed_source_is_built_again(string source)
    {
        await _world.AstraAsync("version");
        _world.Touch(source);
        await _world.AstraAsync("version");
        await _world.AstraAsync("version");
        Assert.Equal(2, _world.PublishCount);
    }

    [Fact]
    public async Task A_removed_source_is_noticed()
    {
        await _world.AstraAsync("version");
        _world.Remove("src/Astra/Program.cs");
        await _world.AstraAsync("version");
        Assert.Equal(2, _world.PublishCount);
    }

    [Fact]
    public async Task What_an_editor_builds_beside_the_sources_is_not_a_change()
    {
        await _world.AstraAsync("version");
        _world.Touch("src/Astra/obj/project.assets.json");
        _world.Touch("src/Astra/bin/astra.dll");
        await _world.AstraAsync("version");
        Assert.Equal(1, _world.PublishCount);
    }

    [Fact]
    public async Task An_edit_during_the_build_is_built_next_time()
    {
        _world.DuringPublish = $"sleep 0.05; touch '{_world.Clone}/src/Astra/Program.cs'";
        await _world.AstraAsync("version");
        _world.DuringPublish = "";
        await _world.AstraAsync("version");
        Assert.Equal(2, _world.PublishCount);
    }

    [Fact]
    public async Task A_failed_build_shows_why_and_is_tried_again()
    {
        _world.DuringPublish = "echo 'Program.cs(1,1): error CS1002: ; expected'; exit 1";
        var failed = await _world.AstraAsync("version");
        Assert.Equal(1, failed.ExitCode);
        Assert.Contains("error CS1002", failed.Error);
        _world.DuringPublish = "";
        Assert.Equal(0, (await _world.AstraAsync("version")).ExitCode);
    }

    [Fact]
    public async Task The_lock_of_a_build_that_was_killed_holds_nobody_up()
    {
        _world.Write("artifacts/building/pid", "999999999");
        Assert.Equal(0, (await _world.AstraAsync("version")).ExitCode);
    }

    [Fact]
    public async Task It_runs_from_any_directory_and_through_a_link()
    {
        var link = Path.Combine(_world.Clone, "link");
        File.CreateSymbolicLink(link, _world.Script);
        var said = await _world.RunAsync(link, "version");
        Assert.Equal((0, "version"), (said.ExitCode, said.Out.Trim()));
    }

    [Fact]
    public async Task A_missing_SDK_is_said_in_one_sentence_with_what_to_type()
    {
        _world.Forget("dotnet");
        var said = await _world.AstraAsync("version");
        Assert.Equal(1, said.ExitCode);
        Assert.Matches(@"\Aastra: the \.NET 10 SDK is missing; type: \S.*\n\z", said.Error);
    }

    [Fact]
    public async Task Missing_packages_are_only_named_when_installing_is_forbidden()
    {
        _world.Forget("bwrap");
        _world.Environment["ASTRA_NO_INSTALL"] = "1";
        var said = await _world.AstraAsync("run", "audit", ".");
        Assert.Equal(1, said.ExitCode);
        Assert.Matches(@"\Aastra: missing:.* bubblewrap, and ASTRA_NO_INSTALL=1 forbids installing; type: sudo apt-get install.* bubblewrap\n\z", said.Error);
        Assert.Empty(_world.Called("apt-get"));
    }

    [Fact]
    public async Task Root_is_shown_the_commands_and_not_asked()
    {
        _world.Forget("bwrap");
        _world.Fake("id", "echo 0");
        var said = await _world.AstraAsync("run", "audit", ".");
        Assert.Equal(0, said.ExitCode);
        Assert.Contains("    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends bubblewrap\n", said.Error);
        Assert.Equal(["update -q", "install -q -y --no-install-recommends bubblewrap"], _world.Called("apt-get"));
        Assert.Equal("run\naudit\n.\n", said.Out);
    }

    [Fact]
    public async Task Nobody_is_given_root_without_being_asked()
    {
        _world.Forget("bwrap");
        _world.Fake("id", "echo 1000");
        _world.Fake("sudo", "exec \"$@\"");
        var said = await _world.AstraAsync("run", "audit", ".");
        Assert.Equal(1, said.ExitCode);
        Assert.Contains("run again with --yes, or type: sudo apt-get install bubblewrap", said.Error);
        Assert.Empty(_world.Called("sudo"));

        Assert.Equal(0, (await _world.AstraAsync("run", "audit", ".", "--yes")).ExitCode);
        Assert.Equal(["sh"], _world.Called("sudo"));
    }

    [Fact]
    public async Task Asking_how_things_are_needs_nothing_installed()
    {
        _world.Forget("bwrap");
        _world.Environment["ASTRA_NO_INSTALL"] = "1";
        Assert.Equal(0, (await _world.AstraAsync("status")).ExitCode);
        Assert.Equal(0, (await _world.AstraAsync("run", "--help")).ExitCode);
    }

    [Fact]
    public async Task Up_detaches_serve_and_waits_for_it()
    {
        var said = await _world.AstraAsync("up", "--port", "0");
        Assert.Equal(0, said.ExitCode);
        Assert.Equal("up\n--wait\n--port\n0\n", said.Out);
    }

    [Fact]
    public async Task What_up_is_piped_into_ends_while_the_server_runs_on()
    {
        _world.Serve();
        var said = await _world.AstraAsync("up").WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal("up\n--wait\n", said.Out);
    }

    [Fact]
    public async Task Tests_end_with_their_counts_and_fail_when_one_fails()
    {
        _world.FakeTests("Astra.Kernel.Tests", "Total: 40, Errors: 0, Failed: 0, Skipped: 1, Not Run: 0, Time: 1.2s", exitCode: 0);
        _world.FakeTests("Astra.Tests", "Total: 10, Errors: 1, Failed: 2, Skipped: 3, Not Run: 0, Time: 1.2s", exitCode: 1);
        _world.FakeTests("Astra.Chaos", "Total: 5, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0, Time: 1.2s", exitCode: 0);
        var all = await _world.AstraAsync("test");
        Assert.Equal((1, "49 passed, 3 failed, 4 skipped"), (all.ExitCode, all.Lines[^1]));
        var fast = await _world.AstraAsync("test", "--fast");
        Assert.Equal((0, "39 passed, 0 failed, 1 skipped"), (fast.ExitCode, fast.Lines[^1]));
    }

    [Fact]
    public async Task A_soak_shows_and_counts_what_ran_and_nothing_else()
    {
        _world.FakeTests(
            "Astra.Kernel.Tests", "Total: 635, Errors: 0, Failed: 0, Skipped: 0, Not Run: 634, Time: 300s", exitCode: 0,
            "T.Short [STARTING]", "T.Short [NOT RUN]", "T.Short [FINISHED] Time: 0s", "T.Long [STARTING]", "  ping-pong, one pair: 10.0 million in 0.5 s", "T.Long [FINISHED] Time: 300s");
        var said = await _world.AstraAsync("test", "--soak");
        Assert.Equal((0, "1 passed, 0 failed, 0 skipped"), (said.ExitCode, said.Lines[^1]));
        Assert.Contains("ping-pong, one pair", said.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("T.Short", said.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("tests finished", said.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_program_that_dies_early_is_a_failure()
    {
        _world.FakeTests("Astra.Kernel.Tests", "Segmentation fault", exitCode: 139);
        var said = await _world.AstraAsync("test", "--fast");
        Assert.Equal((1, "0 passed, 1 failed, 0 skipped"), (said.ExitCode, said.Lines[^1]));
    }

    public void Dispose() => _world.Dispose();
}
