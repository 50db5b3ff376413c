using System.Net;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>How many tasks were given up, by kind of task and version of the tool: by the hour over the API, and as counters.</summary>
public sealed class ExhaustionTests
{
    private const string Exhausted = "astra_tasks_exhausted_total";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Deaths_are_counted_by_kind_and_tool_version_and_agents_have_no_series_of_their_own()
    {
        await using var server = await ServerFixture.StartAsync(new TestAgent("acme-secret-plans") { OnStep = (_, _) => throw new PermanentFailureException("no") });
        server.Sandbox.Answer = _ => FakeSandbox.Result("", exitCode: 1);
        var client = await server.ClientAsync();
        await DieAsync(client, Agent("one", "eat"), Agent("two", "eat"), Agent("three", "drink"), Shell("four"), Agent("five", "50 € of \"words\""));

        var rates = (await client.ListDeathRatesAsync(1, Ct)).Concat(await client.ListDeathRatesAsync(2, Ct)).DistinctBy(rate => (rate.Hour, rate.Kind, rate.Executor)).ToList();
        Assert.Equal(
            [("50 € of \"words\"", "agent:acme-secret-plans", 1), ("build", "tool:shell@1", 1), ("drink", "agent:acme-secret-plans", 1), ("eat", "agent:acme-secret-plans", 2)],
            rates.GroupBy(rate => (rate.Kind, rate.Executor)).Select(rate => (rate.Key.Kind, rate.Key.Executor, rate.Sum(hour => hour.Count))).Order());
        var counted = await ScrapeAsync(server);
        Assert.Equal(2, counted[Exhausted].Value(("kind", "eat"), ("tool", "")));
        Assert.Equal(1, counted[Exhausted].Value(("kind", "build"), ("tool", "shell@1")));
        Assert.Equal(1, counted[Exhausted].Value(("kind", "other"), ("tool", "")));
        Assert.DoesNotContain(counted[Exhausted].Samples.Values, sample => sample.Labels.Values.Any(label => label.Contains("acme", StringComparison.Ordinal)));

        using var raw = await server.RawAsync();
        foreach (var hours in (string[])["0", "169"])
            Assert.Equal(HttpStatusCode.UnprocessableEntity, (await raw.GetAsync($"/api/v1/dead-letters/rates?hours={hours}", Ct)).StatusCode);
        Assert.Empty(await (await server.ClientAsync(new Kernel.TenantId(Guid.NewGuid()))).ListDeathRatesAsync(168, Ct));
    }

    [Fact]
    public async Task However_many_kinds_there_are_the_series_are_bounded_and_none_is_lost()
    {
        await using var server = await ServerFixture.StartAsync(new TestAgent("acme-secret-plans") { OnStep = (_, _) => throw new PermanentFailureException("no") });
        await DieAsync(await server.ClientAsync(), [.. Enumerable.Range(0, 130).Select(number => Agent($"step-{number}", $"kind-{number}"))]);
        var counted = (await ScrapeAsync(server))[Exhausted].Samples.Values;
        Assert.Equal((101, 130), (counted.Count, counted.Sum(sample => sample.Value)));
    }

    private static AddStep Agent(string name, string kind) => new() { Name = name, Executor = "agent:acme-secret-plans", Kind = kind };

    private static AddStep Shell(string name) =>
        new() { Name = name, Executor = "tool:shell@1", Kind = "build", AttemptCountMax = 1, Input = AstraJson.ToElement(new { command = "false" }) };

    private static async Task DieAsync(AstraClient client, params AddStep[] steps)
    {
        var goal = await client.SubmitAsync(new GoalSubmission { Plan = steps, OnDeadTask = DeadTaskPolicy.Wait }, cancellationToken: Ct);
        while ((await client.GetGoalAsync(goal.Id, Ct)).Tasks.Dead != steps.Length)
            Ct.ThrowIfCancellationRequested();
    }

    private static async Task<IReadOnlyDictionary<string, Family>> ScrapeAsync(ServerFixture server)
    {
        using var http = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", await server.NewKeyAsync(Role.PlatformAdmin)) } };
        return PrometheusReader.Read(await http.GetStringAsync("/metrics", Ct));
    }
}
