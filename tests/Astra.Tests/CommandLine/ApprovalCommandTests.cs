using System.Text.Json;
using Astra.Commands;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>`astra approvals`.</summary>
public sealed class ApprovalCommandTests : IDisposable
{
    private const string Digest = "3f9a01c2d4e5f60718293a4b5c6d7e8f3f9a01c2d4e5f60718293a4b5c6d7e8f";

    private readonly CommandWorld _world = new();
    private readonly FakeServer.Goal _goal;
    private readonly string _task;

    public ApprovalCommandTests()
    {
        _world.Server.Agent = _ => { };
        _world.Server.SubmitAsync(new GoalSubmission { Agent = "auditor", Title = "ship [it]" }).GetAwaiter().GetResult();
        _goal = _world.Server[_world.Server.LatestGoal];
        _goal.Step("send", TaskState.Pending);
        _task = Id.ToString();
        Ask(new ApprovalView(2, 0, Digest, "key:carol", []));
    }

    private Guid Id => _goal.Plan.Tasks[0].Id;

    private void Ask(ApprovalView approval, object? input = null) =>
        _goal.Change(Id, task => task with { Approval = approval, Executor = "tool:mail@1", Input = input is null ? null : AstraJson.ToElement(input) });

    [Fact]
    public async Task What_waits_for_votes_is_listed_with_how_many_it_has()
    {
        var said = await _world.TypeAsync("approvals", "list", "--limit", "7", "--cursor", "abc");
        Assert.Contains(said.Lines, line => line.Contains(_task) && line.Contains("send") && line.Contains("ship [it]") && line.Contains("tool:mail@1") && line.Contains("0 of 2"));
        Assert.Contains("approvals abc 7", _world.Server.Calls);
        var listed = Assert.Single(JsonElement.Parse((await _world.TypeAsync("approvals", "list", "--json")).Out).GetProperty("items").EnumerateArray());
        Assert.Equal(Digest, listed.GetProperty("task").GetProperty("approval").GetProperty("digest").GetString());

        _goal.Step("send", TaskState.Ready);
        Assert.Equal("Nobody is asked for approval.\n", (await _world.TypeAsync("approvals", "list")).Out);
    }

    [Fact]
    public async Task Whoever_votes_sees_all_of_it_and_the_two_commands_to_paste()
    {
        var text = new string('x', 5_000);
        Ask(
            new ApprovalView(2, 1, Digest, "key:carol", [new("key:ada", DateTimeOffset.UnixEpoch, "looked [twice]", Counts: true), new("key:bob", DateTimeOffset.UnixEpoch, null, Counts: false)]),
            new { to = "Jürgen", text });
        var said = await _world.TypeAsync("approvals", "show", _task, "--data", _world.Data);
        Assert.Contains("ship [it]", said.Out);
        Assert.Contains("\"to\": \"Jürgen\"", said.Out);
        Assert.Contains(text, said.Out);
        Assert.Matches("Asked by +key:carol, and whoever submitted the goal", said.Out);
        Assert.Matches("key:ada.*looked \\[twice\\].*yes", said.Out);
        Assert.Matches("key:bob.*no, the step has been changed since", said.Out);
        Assert.Contains($"Digest  {Digest}", said.Out);
        Assert.Equal(
            [$"  ./astra approvals approve {_task} --digest 3f9a01c2d4e5 --data {_world.Data}", $"  ./astra approvals deny {_task} --digest 3f9a01c2d4e5 --data {_world.Data}"], said.Lines[^2..]);
        Assert.Equal(_task, JsonElement.Parse((await _world.TypeAsync("approvals", "show", _task, "--json")).Out).GetProperty("id").GetString());
    }

    [Fact]
    public async Task What_a_terminal_would_hide_or_turn_round_is_written_out()
    {
        Ask(new ApprovalView(1, 0, Digest, null, []), new { to = "ada\u202Egro.live\u200B\U000E0041\u001B[2J\u007F" });
        var said = await _world.TypeAsync("approvals", "show", _task);
        Assert.Contains("\"to\": \"ada\\u202egro.live\\u200b\\udb40\\udc41\\u001b[2j\\u007f\"", said.Out.ToLowerInvariant());
        Assert.DoesNotContain(said.Out, c => c != '\n' && char.IsControl(c));
    }

    [Theory]
    [InlineData(TaskState.Ready, 2)]
    [InlineData(TaskState.Cancelled, 0)]
    [InlineData(TaskState.Pending, 2)]
    public async Task Nobody_is_told_to_vote_on_what_does_not_wait_for_it(TaskState state, int given)
    {
        _goal.Step("send", state);
        Ask(new ApprovalView(2, given, Digest, null, []));
        var said = await _world.TypeAsync("approvals", "show", _task);
        Assert.Equal(0, said.ExitCode);
        Assert.DoesNotContain("--digest", said.Out);
    }

    [Fact]
    public async Task An_approval_counts_and_the_last_one_is_said_to_be()
    {
        var first = await _world.TypeAsync("approvals", "approve", _task, "--digest", Digest[..8].ToUpperInvariant(), "--reason", "checked");
        Assert.Equal($"Task {_task} has 1 of 2 approvals.\n", first.Out);
        Assert.Contains($"vote Approve {Digest} checked", _world.Server.Calls);
        Assert.Equal($"Task {_task} is approved.\n", (await _world.TypeAsync("approvals", "approve", _task, "--digest", Digest)).Out);
    }

    [Fact]
    public async Task A_denial_takes_no_digest_and_cancels()
    {
        Assert.Equal($"Task {_task} is denied and cancelled.\n", (await _world.TypeAsync("approvals", "deny", _task, "--reason", "not today")).Out);
        Assert.Equal([$"vote Deny {Digest} not today"], _world.Server.Calls);
    }

    [Theory]
    [InlineData("approve")]
    [InlineData("deny")]
    public async Task A_step_that_was_changed_takes_no_vote_on_what_it_was(string verb)
    {
        Ask(new ApprovalView(2, 0, new string('0', 64), "key:carol", []));
        (await _world.TypeAsync("approvals", verb, _task, "--digest", Digest[..12]))
            .IsSentence(ExitCodes.Error, $"Step send is not what you looked at any more; look again with `./astra approvals show {_task}`.");
        Assert.Empty(_world.Server.Calls);
    }

    [Fact]
    public async Task A_vote_can_be_read_by_a_program()
    {
        var approved = JsonElement.Parse((await _world.TypeAsync("approvals", "approve", _task, "--digest", Digest, "--json")).Out);
        Assert.Equal(1, approved.GetProperty("approval").GetProperty("given").GetInt32());
        Assert.Equal("cancelled", JsonElement.Parse((await _world.TypeAsync("approvals", "deny", _task, "--json")).Out).GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("approvals show")]
    [InlineData("approvals show --json")]
    [InlineData("approvals approve --digest 3f9a01c2")]
    [InlineData("approvals deny")]
    public async Task A_task_that_asks_nobody_is_a_sentence(string line)
    {
        _goal.Change(Id, task => task with { Approval = null });
        (await _world.TypeAsync([.. line.Split(' '), _task])).IsSentence(ExitCodes.Error, "Task send asks for nobody's approval.");
    }

    [Theory]
    [InlineData("approvals approve ID", "'--digest' is required")]
    [InlineData("approvals approve ID --digest 3f9a01c", "--digest takes 8 to 64 hexadecimal digits, as `approvals show` prints them, not '3f9a01c'")]
    [InlineData("approvals deny ID --digest yesterday", "not 'yesterday'")]
    [InlineData("approvals show that", "'that' is not an id")]
    public async Task What_is_no_vote_is_one_sentence_and_starts_nothing(string line, string contains)
    {
        (await _world.TypeAsync(line.Replace("ID", _task, StringComparison.Ordinal).Split(' '))).IsSentence(ExitCodes.Usage, contains);
        Assert.Equal(0, _world.Server.StartCount);
    }

    public void Dispose() => _world.Dispose();
}
