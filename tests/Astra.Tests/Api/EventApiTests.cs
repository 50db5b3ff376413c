using System.Net;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class EventApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_stream_and_the_pages_tell_the_same_story_and_the_stream_ends_with_the_goal()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        var streamed = new List<EventView>();
        await foreach (var view in client.FollowAsync(goal.Id, 0, Ct))
            streamed.Add(view);
        var paged = new List<EventView>();
        string? next = "0";
        while (next is not null)
        {
            var page = await client.ListEventsAsync(goal.Id, long.Parse(next), limit: 3, Ct);
            paged.AddRange(page.Items);
            next = page.Next;
        }
        Assert.Equal(paged.Select(view => (view.Seq, view.Kind, view.Task, view.Text)), streamed.Select(view => (view.Seq, view.Kind, view.Task, view.Text)));
        Assert.Equal("goal_submitted", streamed[0].Kind);
        Assert.Equal("goal_completed", streamed[^1].Kind);
        Assert.Contains(streamed, view => view is { Kind: "task_completed", Task: "work", To: TaskState.Completed });
    }

    [Fact]
    public async Task A_stream_resumes_behind_the_last_event_that_was_seen()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        var all = new List<EventView>();
        await foreach (var view in client.FollowAsync(goal.Id, 0, Ct))
            all.Add(view);
        var rest = new List<EventView>();
        await foreach (var view in client.FollowAsync(goal.Id, all[2].Seq, Ct))
            rest.Add(view);
        Assert.Equal(all.Skip(3).Select(view => (view.Seq, view.Task)), rest.Select(view => (view.Seq, view.Task)));
    }

    [Fact]
    public async Task There_is_nothing_to_come_back_for_after_the_end()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
        var done = await client.FinishAsync(goal.Id, Ct);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/goals/{goal.Id}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Add("Last-Event-ID", $"{done.LastSeq}");
        Assert.Equal(HttpStatusCode.NoContent, (await (await server.RawAsync()).SendAsync(request, Ct)).StatusCode);
    }

    [Fact]
    public async Task What_a_worker_says_is_seen_by_who_watches_and_kept_by_nobody()
    {
        var (watching, heard) = (new TaskCompletionSource(), new TaskCompletionSource());
        var agent = new TestAgent("talker")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("talk", "talk");
                return plan;
            },
            OnStep = async (turn, _) =>
            {
                await watching.Task;
                turn.Report("half way");
                // A stream ends with its goal and does not wait for words that nobody keeps.
                await heard.Task;
                return StepResult.Done();
            },
        };
        await using var server = await ServerFixture.StartAsync(agent);
        var client = await server.ClientAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "talker" }, cancellationToken: Ct);
        var seen = new List<EventView>();
        await foreach (var view in client.FollowAsync(goal.Id, 0, Ct))
        {
            seen.Add(view);
            if (view is { Kind: "task_claimed", Task: "talk" })
                watching.TrySetResult();
            if (view.Kind == "progress")
                heard.TrySetResult();
        }
        Assert.Equal("half way", Assert.Single(seen, view => view.Kind == "progress").Text);
        Assert.DoesNotContain((await client.ListEventsAsync(goal.Id, cancellationToken: Ct)).Items, view => view.Kind == "progress");
    }

    [Fact]
    public async Task A_silent_stream_says_that_it_lives_and_ends_when_its_key_is_revoked()
    {
        await using var server = await ServerFixture.StartAsync();
        var admin = await server.ClientAsync();
        var goal = await admin.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        var made = await admin.CreateApiKeyAsync(new ApiKeyRequest("watcher"), Ct);
        using var http = new HttpClient { BaseAddress = server.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", made.Secret);
        http.DefaultRequestHeaders.Accept.ParseAdd("text/event-stream");
        using var response = await http.GetAsync($"/api/v1/goals/{goal.Id}/events", HttpCompletionOption.ResponseHeadersRead, Ct);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Ct));
        while (await lines.ReadLineAsync(Ct) is { } line && line != ": keep-alive")
        {
        }
        await admin.RevokeApiKeyAsync(made.Key.Id, Ct);
        while (await lines.ReadLineAsync(Ct) is not null)
        {
        }
    }
}
