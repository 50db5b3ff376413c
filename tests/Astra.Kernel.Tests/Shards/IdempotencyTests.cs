using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

public sealed class IdempotencyTests
{
    private readonly World _world = World.With();
    private readonly GoalRequest _request;

    public IdempotencyTests() => _request = World.Request("a") with { IdempotencyKey = _world.Key("order") };

    private Answer<GoalRow> Submit(GoalRequest request) => _world.Node.Ask(node => node.SubmitAsync(_world.Caller, request));

    [Fact]
    public void The_same_key_is_the_same_goal() => Assert.Equal(Submit(_request).Value.Id, Submit(_request).Value.Id);

    [Fact]
    public void The_same_key_with_another_body_is_refused()
    {
        Submit(_request);
        var refusal = Submit(_request with { Title = "Something else" }).Refusal!;
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("Use a new key", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_submissions_under_one_key_at_once_are_one_goal()
    {
        var (first, second) = (_world.Node.Begin(node => node.SubmitAsync(_world.Caller, _request)), _world.Node.Begin(node => node.SubmitAsync(_world.Caller, _request)));
        _world.Advance(seconds: 1);
        Assert.Equal(first.Answer.Value.Id, second.Answer.Value.Id);
    }

    [Fact]
    public void The_same_key_is_the_same_goal_after_it_has_ended_and_left_memory()
    {
        _world.Worker().CompleteAll();
        var goal = Submit(_request).Value.Id;
        foreach (var minutes in new[] { 0, 5 })
        {
            _world.Advance(seconds: 1 + 60 * minutes);
            var again = Submit(_request).Value;
            Assert.Equal((goal, GoalState.Completed), (again.Id, again.State));
            Assert.Equal(RefusalKind.Conflict, Submit(_request with { Title = "Something else" }).Refusal!.Kind);
        }
    }

    [Fact]
    public void The_same_key_is_the_same_goal_after_a_restart()
    {
        var goal = Submit(_request).Value.Id;
        _world.Node.Restart();
        Assert.Equal(goal, Submit(_request).Value.Id);
        _world.Worker().CompleteAll();
        _world.Node.Restart();
        Assert.Equal(goal, Submit(_request).Value.Id);
    }

    [Fact]
    public void A_lost_reply_is_found_again_under_the_same_key()
    {
        _world.Node.Journal.LosesNextReply = true;
        Assert.Equal(RefusalKind.Unavailable, Submit(_request).Refusal!.Kind);
        _world.Advance(seconds: 1);
        var goal = Submit(_request).Value.Id;
        Assert.Equal([goal], _world.Node.Ask(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 10)).Value.Select(row => row.Id));
    }

    [Fact]
    public void A_look_into_the_rows_that_is_older_than_the_shards_memory_is_not_trusted()
    {
        _world.Worker().CompleteAll();
        // Somebody looks for the key and finds nothing; before he asks the shard, the goal has come, ended and been forgotten.
        _world.Node.Rows.HoldsReads = true;
        var slow = _world.Node.Begin(node => node.SubmitAsync(_world.Caller, _request));
        _world.Node.Rows.HoldsReads = false;
        Assert.True(Submit(_request).IsOk);
        _world.Advance(seconds: 1);
        CrashItsShard();
        _world.Node.Rows.Release();
        _world.Advance(seconds: 1);
        Assert.Equal(RefusalKind.Unavailable, slow.Answer.Refusal!.Kind);
        Submit(_request);
        Assert.Single(_world.Node.Ask(node => node.ListGoalsAsync(_world.Tenant, null, null, null, 10)).Value, row => row.IdempotencyKey == _request.IdempotencyKey);
    }

    /// <summary>Another goal on the same shard, whose commit is not heard of.</summary>
    private void CrashItsShard()
    {
        var shard = ShardId.OfName(_world.Tenant, _request.IdempotencyKey!);
        var key = Enumerable.Range(0, int.MaxValue).Select(number => $"crash-{number}").First(key => ShardId.OfName(_world.Tenant, key) == shard);
        _world.Node.Journal.LosesNextReply = true;
        Assert.False(Submit(World.Request("b") with { IdempotencyKey = key }).IsOk);
        _world.Advance(seconds: 2);
    }
}
