using System.Text;
using Astra.Sdk;
using Xunit;

namespace Astra.Tests.CommandLine;

/// <summary>`astra limit`, `astra schedule`, `astra drain`, and what pauses and weighs.</summary>
public sealed class SchedulingCommandTests : IDisposable
{
    private readonly CommandWorld _world = new();

    [Fact]
    public async Task A_limit_is_set_and_shown_as_a_table_and_as_JSON()
    {
        var said = await _world.TypeAsync("limit", "set", "QUEUE", "emails", "--concurrency", "4", "--per-minute", "60");
        Assert.Contains(said.Lines, line => line.Contains("queue") && line.Contains("emails") && line.Contains('4') && line.Contains("60"));
        var controls = Json<ControlsView>(await _world.TypeAsync("limit", "list", "--json"));
        Assert.Equal((LimitScope.Queue, "emails", 4, null, 60), controls.Limits.Select(limit => (limit.Scope, limit.Name, limit.Concurrency, limit.PerSecond, limit.PerMinute)).Single());
        await _world.TypeAsync("limit", "remove", "tenant");
        Assert.Contains("remove limit Tenant ", _world.Server.Calls);
    }

    [Fact]
    public async Task A_schedule_is_made_of_an_agents_goal_or_of_a_plan_file()
    {
        var made = Json<ScheduleView>(await _world.TypeAsync("schedule", "create", "nightly", "--when", "0 3 * * *", "--time-zone", "Europe/Berlin", "--misfire", "skip", "--agent", "auditor", "--input", "{\"directory\":\"/srv\"}", "--json"));
        Assert.Equal(("nightly", "0 3 * * *", "Europe/Berlin", MisfirePolicy.Skip, "auditor"), (made.Name, made.When, made.TimeZone, made.Misfire, made.Goal.Agent));
        var submission = new GoalSubmission { Title = "poll", Plan = [new AddStep { Name = "a", Executor = "tool:shell@1" }] };
        _world.ReadPlan = _ => new PlanReading(submission, null);
        var polled = await _world.TypeAsync("schedule", "create", "poll", "--when", "every 5m", "--plan", _world.NewFile("poll.yaml", ""));
        Assert.Contains(polled.Lines, line => line.Contains("every 5m (UTC)"));
        Assert.Equal(2, Json<IReadOnlyList<ScheduleView>>(await _world.TypeAsync("schedule", "list", "--json")).Count);
        var id = made.Id.ToString();
        Assert.Contains((await _world.TypeAsync("schedule", "pause", id)).Lines, line => line.Contains("paused by key:admin"));
        Assert.Contains((await _world.TypeAsync("schedule", "resume", id)).Lines, line => line.Contains("1970-01-02"));
        Assert.Contains((await _world.TypeAsync("schedule", "remove", id)).Lines, line => line.Contains("is removed"));
        (await _world.TypeAsync("schedule", "show", id)).IsSentence(1, "There is no schedule");
    }

    [Fact]
    public async Task Goals_agents_and_tenants_are_steered_and_the_server_hears_it()
    {
        Assert.Contains((await _world.TypeAsync("agent", "pause", "auditor")).Lines, line => line == "Agent auditor is paused.");
        Assert.Contains((await _world.TypeAsync("agent", "resume", "auditor")).Lines, line => line == "Agent auditor goes on.");
        Assert.Contains((await _world.TypeAsync("agent", "weight", "auditor", "200")).Lines, line => line == "Agent auditor has weight 200.");
        Assert.Contains((await _world.TypeAsync("tenant", "weight", "default", "50")).Lines, line => line == "Tenant default has weight 50.");
        Assert.Contains((await _world.TypeAsync("why", "agent:auditor")).Lines, line => line.Contains("Agent auditor is idle."));
        Assert.Contains((await _world.TypeAsync("drain")).Lines, line => line.Contains("drains: 0 tasks run"));
        Assert.Contains((await _world.TypeAsync("drain", "--off")).Lines, line => line.Contains("hands out work"));
        Assert.Subset(_world.Server.Calls.ToHashSet(), new HashSet<string> { "pause agent auditor", "resume agent auditor", "weight auditor 200", "tenant weight default 50", "why agent auditor", "drain True", "drain False" });
    }

    public void Dispose() => _world.Dispose();

    private static T Json<T>(Said said) => AstraJson.Read<T>(Encoding.UTF8.GetBytes(said.Out));
}
