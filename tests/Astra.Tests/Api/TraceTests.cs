using Astra.Gateway;
using Astra.Sdk;

namespace Astra.Tests.Api;

/// <summary>Real spans by the real exporter, read from the bytes that it sent.</summary>
public sealed class TraceTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_goal_is_one_trace_with_a_span_for_each_attempt_each_run_of_a_tool_and_each_commit()
    {
        await using var collector = new OtlpReceiver();
        var failures = 0;
        var agent = new TestAgent("tracer")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("a secret name", "work", "a secret input");
                return plan;
            },
            OnStep = async (turn, token) =>
            {
                if (Interlocked.Increment(ref failures) == 1)
                    throw new InvalidOperationException("a secret reason");
                return StepResult.Done((await turn.Tools.CallAsync(new ToolCall("shell", new { command = "echo secret" }), token)).Output);
            },
        };
        GoalView goal;
        List<EventView> events = [];
        var export = new TraceExport(collector.Address, isGrpc: false, "test", "node");
        var traces = new GoalTraces();
        await using (var server = await ServerFixture.StartAsync(traces, agent))
        {
            var client = await server.ClientAsync();
            goal = await client.SubmitAsync(new GoalSubmission { Agent = "tracer", Title = "a secret title" }, cancellationToken: Ct);
            await foreach (var happened in client.FollowAsync(goal.Id, 0, Ct))
                events.Add(happened);
        }
        await traces.DisposeAsync();
        export.Dispose();

        Assert.Equal(0, traces.DroppedCount);
        Assert.All(collector.Paths, path => Assert.Equal("POST /v1/traces application/x-protobuf", path));
        var spans = collector.Spans.Where(span => span.TraceId == goal.Id.ToString("N")).ToList();
        Assert.All(events, happened => Assert.Equal(goal.Id.ToString("N"), happened.TraceId));
        var root = Assert.Single(spans, span => span.ParentId == "");
        Assert.Equal(("goal", "goal_completed"), (root.Name, root.Attributes["astra.outcome"]));
        Assert.Equal(goal.Id.ToString(), root.Attributes["astra.goal.id"]);

        var attempts = spans.Where(span => span.Name.StartsWith("attempt", StringComparison.Ordinal)).OrderBy(span => span.Start).ToList();
        Assert.All(attempts, attempt => Assert.Equal(root.Id, attempt.ParentId));
        Assert.All(attempts, attempt => Assert.Equal("attempt agent:tracer", attempt.Name));
        Assert.Equal(["task_completed", "task_retried", "task_completed", "task_completed"], attempts.Select(attempt => attempt.Attributes["astra.outcome"]));
        Assert.Equal(["1", "1", "2", "1"], attempts.Select(attempt => attempt.Attributes["astra.attempt"]));
        Assert.All(attempts, attempt => Assert.True(attempt.Start >= root.Start && attempt.End <= root.End && attempt.Start <= attempt.End));

        var tool = Assert.Single(spans, span => span.Name.StartsWith("tool", StringComparison.Ordinal));
        Assert.Equal((attempts[2].Id, "done"), (tool.ParentId, tool.Attributes["astra.outcome"]));
        Assert.True(tool.Start >= attempts[2].Start && tool.End <= attempts[2].End);
        Assert.Equal(6, spans.Count);

        var commits = collector.Spans.Where(span => span.Name == "commit").ToList();
        Assert.NotEmpty(commits);
        Assert.All(commits, commit => Assert.Equal([root.Id], commit.Links));
        // From the claim and from the end of each attempt to the commit that made it durable.
        Assert.All(attempts, attempt => Assert.Equal(2, attempt.Links.Count));
        Assert.All(attempts.SelectMany(attempt => attempt.Links), link => Assert.Contains(commits, commit => commit.Id == link));
        Assert.DoesNotContain(collector.Spans, span => span.Name.Contains("secret") || span.Attributes.Values.Any(value => value.Contains("secret")));
    }
}
