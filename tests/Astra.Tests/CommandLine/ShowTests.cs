using System.Text.Json;
using Astra.Commands;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

public sealed class ShowTests : IDisposable
{
    private readonly CommandWorld _world = new();
    private readonly FakeServer.Goal _goal;

    public ShowTests()
    {
        _world.Server.SubmitAsync(new GoalSubmission { Agent = "auditor", Title = "audit [shop]" }).GetAwaiter().GetResult();
        _goal = _world.Server[_world.Server.LatestGoal];
    }

    [Fact]
    public async Task Every_list_and_show_has_json_that_parses()
    {
        _goal.Step("inspect a", TaskState.Dead, "broken");
        var goal = _goal.Id.ToString();
        var task = _goal.Plan.Tasks[0].Id.ToString();
        string[][] commands =
        [
            ["goal", "list"], ["goal", "show", goal], ["goal", "cancel", goal], ["goal", "quarantine", "list"], ["goal", "quarantine", "release", goal], ["goal", "quarantine", "discard", goal, "--reason", "broken"], ["plan", "show", goal], ["task", "show", task], ["agent", "list"],
            ["agent", "show", "auditor"], ["agent", "create", "a"], ["agent", "remove", "a"], ["send", "a", "{}"],
            ["dead", "list"], ["dead", "show", task], ["dead", "replay", task], ["dead", "discard", task, "--reason", "withdrawn"], ["why", goal],
            ["doctor"], ["plan", "edit", goal, "--edits", "[]"], ["dead", "rates"], ["dead", "events"], ["hook", "add", "https://example.org"], ["hook", "list"], ["hook", "show", task],
            ["hook", "test", task], ["hook", "remove", task],
        ];
        foreach (var command in commands)
            JsonElement.Parse((await _world.TypeAsync([.. command, "--json"])).Out);
    }

    [Fact]
    public async Task Tables_print_names_as_they_are_and_ids_that_can_be_pasted()
    {
        var said = await _world.TypeAsync("goal", "list");
        Assert.Contains("audit [shop]", said.Out);
        Assert.Contains(_goal.Id.ToString(), said.Out);
    }

    [Fact]
    public async Task A_goal_is_shown_with_its_children_and_their_states()
    {
        _world.Server.Agent = _ => { };
        var child = await _world.Server.SubmitAsync(new GoalSubmission { Title = "the younger", Agent = "helper", Parent = _goal.Id }, cancellationToken: TestContext.Current.CancellationToken);
        var said = await _world.TypeAsync("goal", "show", $"{_goal.Id}");
        Assert.Matches($"{child.Id}.*active.*the younger", said.Out);

        var json = JsonElement.Parse((await _world.TypeAsync("goal", "show", $"{_goal.Id}", "--json")).Out);
        var listed = Assert.Single(json.GetProperty("children").GetProperty("items").EnumerateArray());
        Assert.Equal((child.Id, "active"), (listed.GetProperty("id").GetGuid(), listed.GetProperty("state").GetString()));

        Assert.DoesNotContain("Child ", (await _world.TypeAsync("goal", "show", $"{child.Id}")).Out, StringComparison.Ordinal);
        await _world.TypeAsync("goal", "list", "--parent", $"{_goal.Id}", "--state", "failed", "--limit", "7", "--cursor", "abc");
        Assert.Contains($"children {_goal.Id} Failed abc 7", _world.Server.Calls);
    }

    [Fact]
    public async Task An_empty_list_says_so() => Assert.Contains("No dead letters.", (await _world.TypeAsync("dead", "list")).Out);

    [Fact]
    public async Task Goals_in_quarantine_are_listed_with_what_the_tables_said_and_let_out_or_given_up()
    {
        Assert.Contains("goal_ended_iff_final", (await _world.TypeAsync("goal", "quarantine", "list")).Out, StringComparison.Ordinal);
        Assert.Contains("is out of quarantine", (await _world.TypeAsync("goal", "quarantine", "release", $"{_goal.Id}")).Out, StringComparison.Ordinal);
        Assert.Contains("is given up", (await _world.TypeAsync("goal", "quarantine", "discard", $"{_goal.Id}", "--reason", "broken")).Out, StringComparison.Ordinal);
        Assert.Contains($"discard goal {_goal.Id} broken", _world.Server.Calls);
        (await _world.TypeAsync("goal", "quarantine", "discard", $"{_goal.Id}")).IsSentence(ExitCodes.Usage, "--reason");
    }

    [Fact]
    public async Task Filters_reach_the_server()
    {
        await _world.TypeAsync("goal", "list", "--state", "completed", "--agent", "auditor", "--limit", "7", "--cursor", "abc");
        Assert.Contains("list Completed auditor abc 7", _world.Server.Calls);
    }

    [Fact]
    public async Task An_agent_is_created_with_what_was_said_and_a_message_is_read_from_where_it_is()
    {
        Assert.Equal(0, (await _world.TypeAsync("agent", "create", "tally-1", "--class", "counter", "--idle", "30", "--description", "Counts.")).ExitCode);
        Assert.Contains("register tally-1 counter 30 Counts.", _world.Server.Calls);
        await _world.TypeAsync("agent", "list", "--limit", "7", "--cursor", "abc");
        Assert.Contains("agents abc 7", _world.Server.Calls);

        var file = _world.NewFile("message.json", "{\"add\":2}");
        await _world.TypeAsync("send", "tally-1", "@" + file);
        Assert.Contains("send tally-1 {\"add\":2}", _world.Server.Calls);
        Assert.Equal("hello", Assert.Single((await _world.TypeAsync("send", "tally-1", "\"hello\"")).Lines));
        Assert.Equal("\"hello\"", Assert.Single((await _world.TypeAsync("send", "tally-1", "\"hello\"", "--json")).Lines));
        Assert.Equal("null", Assert.Single((await _world.TypeAsync("send", "tally-1", "null", "--json")).Lines));
    }

    [Fact]
    public async Task Why_is_a_sentence_with_its_evidence()
    {
        var said = await _world.TypeAsync("why", _goal.Id.ToString());
        Assert.Equal(["waiting: tenant slots 4/4", "  running: 4"], said.Lines);
    }

    [Fact]
    public async Task Events_end_where_the_goal_stood_unless_followed()
    {
        var active = await SubmitActiveAsync();
        active.Step("a", TaskState.Ready).Step("a", TaskState.Running);
        var said = await _world.TypeAsync("goal", "events", active.Id.ToString(), "--json");
        Assert.Equal(2, said.Lines.Length);
        Assert.All(said.Lines, line => JsonElement.Parse(line));
    }

    [Fact]
    public async Task An_edit_carries_the_revision_it_was_made_against()
    {
        var edits = _world.NewFile("edits.json", """[{"op":"prioritise","name":"a","priority":5},{"op":"cancel","name":"b"}]""");
        var goal = _goal.Id.ToString();
        Assert.Equal(0, (await _world.TypeAsync("plan", "edit", goal, "--edits", "@" + edits, "--if-match", "1", "--reason", "late")).ExitCode);
        Assert.Contains("edit 1 PrioritiseStep,CancelStep late", _world.Server.Calls);
        (await _world.TypeAsync("plan", "edit", goal, "--edits", "[]", "--if-match", "6")).IsSentence(1, "at revision 1, not 6");
    }

    [Fact]
    public async Task A_secret_is_printed_where_the_hook_is_added_and_nowhere_else()
    {
        var added = await _world.TypeAsync("hook", "add", "https://example.org/hook", "--on", HookKinds.HourlyRates);
        Assert.Contains("hook https://example.org/hook dead_rates.hour", _world.Server.Calls);
        Assert.Contains("whsec_c2VjcmV0", added.Out);
        Assert.Contains("only time", added.Error);
        Assert.DoesNotContain("whsec_", (await _world.TypeAsync("hook", "list")).Out);
        Assert.DoesNotContain("whsec_", (await _world.TypeAsync("hook", "show", Guid.NewGuid().ToString())).Out);
    }

    [Fact]
    public async Task Deaths_are_shown_by_the_hour()
    {
        Assert.Contains("tool:unpack@2", (await _world.TypeAsync("dead", "rates", "--hours", "48")).Out);
        Assert.Contains("rates 48", _world.Server.Calls);
    }

    [Fact]
    public async Task Help_of_every_command_ends_with_something_to_paste()
    {
        string[][] commands =
        [
            [], ["run"], ["run", "audit"], ["run", "agent"], ["serve"], ["up"], ["down"], ["status"], ["doctor"], ["goal"], ["goal", "list"],
            ["goal", "show"], ["goal", "cancel"], ["goal", "events"], ["plan"], ["plan", "show"], ["plan", "edit"], ["task"], ["task", "show"],
            ["agent"], ["agent", "list"], ["agent", "create"], ["agent", "show"], ["agent", "remove"], ["send"], ["bench"],
            ["dead"], ["dead", "rates"], ["dead", "events"], ["hook"], ["hook", "add"], ["hook", "list"], ["hook", "show"], ["hook", "test"], ["hook", "remove"], ["dead", "list"], ["dead", "show"], ["dead", "replay"], ["dead", "discard"], ["why"], ["version"],
            ["approvals"], ["approvals", "list"], ["approvals", "show"], ["approvals", "approve"], ["approvals", "deny"], ["token"], ["token", "create"], ["token", "list"], ["token", "revoke"],
        ];
        foreach (var command in commands)
        {
            var said = await _world.TypeAsync([.. command, "--help"]);
            Assert.Equal(0, said.ExitCode);
            Assert.Contains("Examples:\n  ./astra ", said.Out);
        }
    }

    [Fact]
    public async Task Help_documents_every_exit_code()
    {
        var said = await _world.TypeAsync();
        Assert.Equal(0, said.ExitCode);
        foreach (var code in typeof(ExitCodes).GetFields().Where(field => field.FieldType == typeof(int)))
            Assert.Matches($@"(?m)^  {code.GetRawConstantValue()} ", said.Out);
    }

    private async Task<FakeServer.Goal> SubmitActiveAsync()
    {
        _world.Server.Agent = _ => { };
        return _world.Server[(await _world.Server.SubmitAsync(new GoalSubmission { Title = "active" })).Id];
    }

    public void Dispose() => _world.Dispose();
}
