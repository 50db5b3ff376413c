using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Astra.Governance;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class WorkerApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_remote_worker_runs_a_goal_with_tools_and_finishes_what_it_has_when_it_leaves()
    {
        await using var server = await ServerFixture.StartAsync();
        var started = new TaskCompletionSource();
        var leaving = new TaskCompletionSource();
        var agent = new TestAgent("remote")
        {
            OnPlan = _ =>
            {
                var plan = new Plan();
                plan.Step("work", "work");
                return plan;
            },
            OnStep = async (turn, ct) =>
            {
                started.TrySetResult();
                await leaving.Task;
                var result = await turn.Tools.CallAsync(new ToolCall("shell", new { command = "echo hi" }), ct);
                var refused = await Assert.ThrowsAsync<ToolRefusedException>(async () => await turn.Tools.CallAsync(new ToolCall("nothing", null), ct));
                await turn.Artifacts.SaveAsync(turn.Goal.Id, "log.txt", Encoding.UTF8.GetBytes(refused.Message), ct);
                return StepResult.Done(new { said = result.Output.GetProperty("stdout").GetString(), result.Receipt.SandboxTier });
            },
        };
        var client = await server.ClientAsync();
        using var stop = new CancellationTokenSource();
        var working = new AstraWorker(server.Address, await server.NewKeyAsync(Role.Member)) { Slots = 2 }.Add(agent).RunAsync(stop.Token);
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "remote" }, cancellationToken: Ct);
        await started.Task.WaitAsync(Ct);
        Assert.Equal(1, Assert.Single((await client.ListAgentsAsync(cancellationToken: Ct)).Items).WorkerCount);
        await stop.CancelAsync();
        leaving.SetResult();
        await working.WaitAsync(Ct);
        var work = (await client.GetPlanAsync(goal.Id, Ct)).Tasks.Single(task => task.Name == "work");
        Assert.Equal((TaskState.Completed, 1), (work.State, work.Attempt));
        Assert.Equal("ran echo hi", (await client.GetTaskAsync(work.Id, Ct)).Output!.Value.GetProperty("said").GetString());
        Assert.Contains("nothing", Encoding.UTF8.GetString((await client.Artifacts.ReadAsync(goal.Id, "log.txt", Ct))!.Value.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_may_be_an_array_of_frames_and_one_that_holds_none_ends_the_connection()
    {
        await using var server = await ServerFixture.StartAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.SendRawAsync("""[{"type":"hello","name":"raw","agents":[{"name":"raw","description":"Raw."}],"slots":1},{"type":"heartbeat","tasks":[]}]""");
        await worker.NextAsync<ServerFrame.Welcome>();
        await worker.SendRawAsync("[]");
        Assert.Contains("at least one frame", (await worker.NextAsync<ServerFrame.Error>()).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_vanished_worker_held_is_issued_anew_and_its_report_is_late()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await using var first = await RawWorker.ConnectAsync(server);
        await first.HelloAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        var lost = await first.NextAsync<ServerFrame.Assign>();
        first.Abort();

        await using var second = await RawWorker.ConnectAsync(server);
        await second.HelloAsync();
        var again = await second.NextAsync<ServerFrame.Assign>();
        Assert.Equal(lost.Task.TaskId, again.Task.TaskId);
        Assert.True(again.Task.Attempt > lost.Task.Attempt);
        second.Send(new WorkerFrame.Complete(lost.Task.TaskId, lost.Task.Attempt, AstraJson.ToElement(null), null));
        Assert.Equal(lost.Task.Attempt, (await second.NextAsync<ServerFrame.Late>()).Attempt);
        second.Send(new WorkerFrame.Complete(again.Task.TaskId, again.Task.Attempt, AstraJson.ToElement("done"), null));
        await second.NextAsync<ServerFrame.Accepted>();
        Assert.Equal("done", (await client.FinishAsync(goal.Id, Ct)).Result!.Value.GetString());
    }

    [Fact]
    public async Task A_cancelled_task_is_revoked_and_a_bad_report_is_refused_without_losing_the_task()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync();
        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        var task = (await worker.NextAsync<ServerFrame.Assign>()).Task;
        AddStep loop = new() { Name = "a", Executor = "agent:raw", After = [new StepDependency("a", true)] };
        worker.Send(new WorkerFrame.Complete(task.TaskId, task.Attempt, AstraJson.ToElement(null), [loop]));
        Assert.Contains("cycle", (await worker.NextAsync<ServerFrame.Refused>()).Reason, StringComparison.Ordinal);
        worker.Send(new WorkerFrame.Heartbeat([new TaskAttempt(task.TaskId, task.Attempt)]));
        await client.CancelGoalAsync(goal.Id, "enough", Ct);
        Assert.Equal(task.TaskId, (await worker.NextAsync<ServerFrame.Revoke>()).TaskId);
    }

    [Fact]
    public async Task A_heartbeat_that_lists_an_attempt_behind_its_report_revokes_nothing()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync();
        for (var round = 0; round < 20; round++)
        {
            await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
            var task = (await worker.NextAsync<ServerFrame.Assign>()).Task;
            worker.Send(new WorkerFrame.Complete(task.TaskId, task.Attempt, AstraJson.ToElement(null), null));
            worker.Send(new WorkerFrame.Heartbeat([new TaskAttempt(task.TaskId, task.Attempt)]));
            await worker.NextAsync<ServerFrame.Accepted>();
        }
    }

    [Fact]
    public async Task An_attempt_that_a_worker_goes_on_listing_and_does_not_hold_is_revoked()
    {
        await using var server = await ServerFixture.StartAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync();
        var stranger = new TaskAttempt(Guid.CreateVersion7(), 1);
        worker.Send(new WorkerFrame.Heartbeat([stranger]));
        worker.Send(new WorkerFrame.Heartbeat([stranger]));
        Assert.Equal(stranger.TaskId, (await worker.NextAsync<ServerFrame.Revoke>()).TaskId);
    }

    [Fact]
    public async Task Nothing_is_assigned_to_a_worker_that_drains()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await using var draining = await RawWorker.ConnectAsync(server);
        await draining.HelloAsync();
        var first = await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        var held = (await draining.NextAsync<ServerFrame.Assign>()).Task;
        draining.Send(new WorkerFrame.Drain());
        draining.Send(new WorkerFrame.Complete(held.TaskId, held.Attempt, AstraJson.ToElement(null), null));
        await draining.NextAsync<ServerFrame.Accepted>();

        // A second worker gets what comes now; the first, asked in between, has been sent nothing.
        await using var other = await RawWorker.ConnectAsync(server);
        await other.HelloAsync();
        await client.SubmitAsync(new GoalSubmission { Agent = "raw" }, cancellationToken: Ct);
        await other.NextAsync<ServerFrame.Assign>();
        draining.Send(new WorkerFrame.Complete(held.TaskId, held.Attempt, AstraJson.ToElement(null), null));
        await draining.NextAsync<ServerFrame.Late>();
        Assert.Equal(GoalState.Completed, (await client.FinishAsync(first.Id, Ct)).State);
    }

    [Theory]
    [InlineData("""{"type":"drain"}""", "hello")]
    [InlineData("""{"type":"hello","name":"w","agents":[],"slots":1}""", "agents")]
    [InlineData("""{"type":"hello","name":"w","agents":[{"name":"Bad Name","description":""}],"slots":1}""", "name")]
    [InlineData("""{"type":"hello","name":"w","agents":[{"name":"a","description":""}],"slots":0}""", "slots")]
    [InlineData("""{"type":"dance"}""", "protocol")]
    [InlineData("""nonsense""", "protocol")]
    public async Task A_bad_frame_gets_one_sentence_and_the_end(string frame, string mentions)
    {
        await using var server = await ServerFixture.StartAsync();
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.SendRawAsync(frame);
        Assert.Contains(mentions, (await worker.NextAsync<ServerFrame.Error>()).Reason, StringComparison.Ordinal);
        Assert.True(await worker.IsClosedAsync());
    }

    [Fact]
    public async Task The_end_of_a_key_is_the_end_of_its_workers()
    {
        await using var server = await ServerFixture.StartAsync();
        var admin = await server.ClientAsync();
        var made = await admin.CreateApiKeyAsync(new ApiKeyRequest("worker"), Ct);
        await using var worker = await RawWorker.ConnectAsync(server, made.Secret);
        await worker.HelloAsync();
        await admin.RevokeApiKeyAsync(made.Key.Id, Ct);
        Assert.Contains("revoked", (await worker.NextAsync<ServerFrame.Error>()).Reason, StringComparison.Ordinal);
        var late = new AstraWorker(server.Address, made.Secret).Add(TestAgent.Echo());
        Assert.Equal(401, (await Assert.ThrowsAsync<AstraException>(() => late.RunAsync(Ct))).Status);
    }

    /// <summary>A worker frame by frame.</summary>
}
