using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every journal guarantees.</summary>
public abstract class JournalContract : StoreContract
{
    private readonly TenantId _tenant = Sample.Tenant();

    [Fact]
    public async Task What_was_committed_is_read_back_as_it_was_written()
    {
        var epochs = await OwnEverythingAsync();
        var goal = Sample.GoalId(7);
        JournalEntry[] entries =
        [
            Sample.Entry(_tenant, goal, 1),
            Sample.Entry(_tenant, goal, 2) with
            {
                Kind = EventKind.TaskAdded,
                Task = Sample.TaskId(7),
                To = TaskState.Ready,
                KeyId = 5,
                Data = EventCodec.Encode(new KernelEvent.TaskAdded(Sample.Task(Sample.Goal(_tenant, goal)).Spec, [])),
            },
            Sample.Entry(_tenant, goal, 3, TaskState.Ready, TaskCommand.Claim, TaskState.Running),
            Sample.Entry(_tenant, goal, 4) with { Kind = EventKind.TaskUnblocked, Data = ReadOnlyMemory<byte>.Empty },
        ];

        Assert.Equal([AppendOutcome.Committed], await AppendAsync(epochs, entries));

        Assert.Equal(Sample.Text(entries), Sample.Text(await ReadAsync(7)));
    }

    [Fact]
    public async Task One_append_carries_many_shards_and_answers_in_the_order_asked()
    {
        var epochs = await OwnEverythingAsync();
        ShardAppend[] appends =
        [
            Append(epochs, Sample.Entries(_tenant, Sample.GoalId(900), 1, 3)),
            Append(epochs, Sample.Entries(_tenant, Sample.GoalId(3), 2, 1)),
            Append(epochs, Sample.Entries(_tenant, Sample.GoalId(40), 1, 2)),
            Append(epochs, Sample.Entries(_tenant, Sample.GoalId(41), 1, 1)) with { Epoch = new Epoch(0) },
        ];

        Assert.Equal(
            [AppendOutcome.Committed, AppendOutcome.Refused, AppendOutcome.Committed, AppendOutcome.Fenced],
            await Store.Journal.AppendAsync(appends, None));
        Assert.Equal([1, 2, 3], await SeqsAsync(900));
        Assert.Empty(await SeqsAsync(3));
        Assert.Equal([1, 2], await SeqsAsync(40));
        Assert.Empty(await SeqsAsync(41));
    }

    [Fact]
    public async Task An_append_of_nothing_commits_nothing()
    {
        var epochs = await OwnEverythingAsync();

        Assert.Empty(await Store.Journal.AppendAsync([], None));
        Assert.Equal([AppendOutcome.Committed], await Store.Journal.AppendAsync([new ShardAppend(new ShardId(7), epochs[new ShardId(7)], [])], None));
        Assert.Equal([AppendOutcome.Fenced], await Store.Journal.AppendAsync([new ShardAppend(new ShardId(7), new Epoch(99), [])], None));
        Assert.Empty(await SeqsAsync(7));
    }

    [Fact]
    public async Task After_a_takeover_the_old_owner_is_fenced_and_the_new_one_goes_on()
    {
        var before = await OwnEverythingAsync("a");
        var goal = Sample.GoalId(7);
        await AppendAsync(before, Sample.Entries(_tenant, goal, 1, 2));

        var after = await TakeOverAsync("a", "b");

        Assert.Equal([AppendOutcome.Fenced], await AppendAsync(before, Sample.Entries(_tenant, goal, 3, 1)));
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(after, Sample.Entries(_tenant, goal, 3, 1)));
        Assert.Equal([1, 2, 3], await SeqsAsync(7));
    }

    [Fact]
    public async Task An_epoch_that_was_never_handed_out_is_fenced()
    {
        var epochs = await OwnEverythingAsync();
        var append = Append(epochs, Sample.Entries(_tenant, Sample.GoalId(7), 1, 1));

        Assert.Equal([AppendOutcome.Fenced], await Store.Journal.AppendAsync([append with { Epoch = new Epoch(append.Epoch.Value + 1) }], None));
    }

    [Theory]
    [InlineData(2, "a gap at the start")]
    [InlineData(0, "no such number")]
    public async Task The_first_entry_of_a_shard_is_number_one(long seq, string because)
    {
        var epochs = await OwnEverythingAsync();

        Assert.True(
            await AppendAsync(epochs, Sample.Entries(_tenant, Sample.GoalId(7), seq, 1)) is [AppendOutcome.Refused], because);
    }

    [Fact]
    public async Task A_gap_a_repeat_or_a_disorder_refuses_the_whole_shard()
    {
        var epochs = await OwnEverythingAsync();
        var goal = Sample.GoalId(7);
        await AppendAsync(epochs, Sample.Entries(_tenant, goal, 1, 2));

        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, Sample.Entries(_tenant, goal, 4, 1)));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, Sample.Entries(_tenant, goal, 2, 2)));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [Sample.Entry(_tenant, goal, 3), Sample.Entry(_tenant, goal, 5)]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [Sample.Entry(_tenant, goal, 4), Sample.Entry(_tenant, goal, 3)]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [Sample.Entry(_tenant, goal, 3), Sample.Entry(_tenant, goal, 3)]));
        Assert.Equal([1, 2], await SeqsAsync(7));
    }

    [Fact]
    public async Task An_entry_of_another_shard_refuses_the_append()
    {
        var epochs = await OwnEverythingAsync();
        var entry = Sample.Entry(_tenant, Sample.GoalId(8), 1);

        Assert.Equal([AppendOutcome.Refused], await Store.Journal.AppendAsync([new ShardAppend(new ShardId(7), epochs[new ShardId(7)], [entry])], None));
        Assert.Empty(await SeqsAsync(8));
    }

    [Fact]
    public async Task Every_move_of_the_transition_table_gets_in_and_nothing_else_does()
    {
        var epochs = await OwnEverythingAsync();
        var moves = TaskTransitions.Moves.ToHashSet();
        var all =
            from before in Enum.GetValues<TaskState>()
            from command in Enum.GetValues<TaskCommand>()
            from to in Enum.GetValues<TaskState>()
            select (From: before, Command: command, To: to);
        // A shard of its own for each: the refused ones must not stand in the others' way.
        var cases = all.Select((move, i) => (Move: move, Append: Append(
            epochs, [Sample.Entry(_tenant, Sample.GoalId(i), 1, move.From, move.Command, move.To)]))).ToArray();

        var outcomes = await Store.Journal.AppendAsync(cases.Select(one => one.Append).ToArray(), None);

        Assert.Equal(
            moves.Order(),
            cases.Where((_, i) => outcomes[i] == AppendOutcome.Committed).Select(one => one.Move).Order());
        Assert.DoesNotContain(AppendOutcome.Fenced, outcomes);
    }

    [Fact]
    public async Task Half_a_move_is_refused()
    {
        var epochs = await OwnEverythingAsync();
        var whole = Sample.Entry(_tenant, Sample.GoalId(7), 1, TaskState.Ready, TaskCommand.Claim, TaskState.Running);

        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { From = null }]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { Command = null }]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { To = null }]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { Task = null }]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { From = null, Command = null }]));
        Assert.Equal([AppendOutcome.Refused], await AppendAsync(epochs, [whole with { Attempt = -1 }]));
        Assert.Equal([AppendOutcome.Committed], await AppendAsync(epochs, [whole]));
    }

    [Fact]
    public async Task A_good_entry_before_a_bad_one_does_not_get_in()
    {
        var epochs = await OwnEverythingAsync();
        var goal = Sample.GoalId(7);

        var outcome = await AppendAsync(
            epochs, [Sample.Entry(_tenant, goal, 1), Sample.Entry(_tenant, goal, 2, TaskState.Completed, TaskCommand.Claim, TaskState.Running)]);

        Assert.Equal([AppendOutcome.Refused], outcome);
        Assert.Empty(await SeqsAsync(7));
    }

    [Fact]
    public async Task The_tail_of_a_shard_begins_after_the_number_asked_for()
    {
        var epochs = await OwnEverythingAsync();
        await AppendAsync(epochs, Sample.Entries(_tenant, Sample.GoalId(7), 1, 5));
        await AppendAsync(epochs, Sample.Entries(Sample.Tenant(), Sample.GoalId(7), 6, 2));

        Assert.Equal([4, 5, 6, 7], (await ReadAsync(7, after: 3)).Select(entry => entry.Seq));
        Assert.Empty(await ReadAsync(7, after: 7));
        Assert.Empty(await SeqsAsync(8));
    }

    [Fact]
    public async Task The_history_of_a_goal_holds_its_own_entries_in_order()
    {
        var epochs = await OwnEverythingAsync();
        var (one, other) = (Sample.GoalId(7), Sample.GoalId(7));
        await AppendAsync(epochs, [.. Enumerable.Range(1, 9).Select(seq => Sample.Entry(_tenant, seq % 2 == 1 ? one : other, seq))]);

        Assert.Equal([1, 3, 5, 7, 9], await SeqsAsync(one, afterSeq: 0, countMax: 100));
        Assert.Equal([5, 7], await SeqsAsync(one, afterSeq: 3, countMax: 2));
        Assert.Equal([2, 4, 6, 8], await SeqsAsync(other, afterSeq: 0, countMax: 100));
        Assert.Empty(await SeqsAsync(other, afterSeq: 8, countMax: 100));
    }

    [Fact]
    public async Task The_history_of_a_goal_is_not_there_for_another_tenant()
    {
        var epochs = await OwnEverythingAsync();
        var goal = Sample.GoalId(7);
        await AppendAsync(epochs, Sample.Entries(_tenant, goal, 1, 3));

        Assert.Empty(await Store.Journal.ReadGoalAsync(Sample.Tenant(), goal, 0, 100, None));
    }

    [Fact]
    public async Task What_the_writer_does_to_its_buffer_afterwards_changes_nothing()
    {
        var epochs = await OwnEverythingAsync();
        var buffer = new byte[] { 1, 2, 3 };
        await AppendAsync(epochs, [Sample.Entry(_tenant, Sample.GoalId(7), 1) with { Data = buffer }]);

        buffer[0] = 99;

        Assert.Equal([1, 2, 3], (await ReadAsync(7))[0].Data.ToArray());
    }

    private static ShardAppend Append(IReadOnlyDictionary<ShardId, Epoch> epochs, JournalEntry[] entries) =>
        new(entries[0].Shard, epochs[entries[0].Shard], entries);

    private ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyDictionary<ShardId, Epoch> epochs, JournalEntry[] entries) =>
        Store.Journal.AppendAsync([Append(epochs, entries)], None);

    private async ValueTask<IReadOnlyList<JournalEntry>> ReadAsync(int shard, long after = 0) =>
        Assert.Single(await Store.Journal.ReadTailsAsync([new ShardPosition(new ShardId(shard), after)], None));

    private async ValueTask<IEnumerable<long>> SeqsAsync(int shard) => (await ReadAsync(shard)).Select(entry => entry.Seq);

    private async ValueTask<IEnumerable<long>> SeqsAsync(GoalId goal, long afterSeq, int countMax) =>
        (await Store.Journal.ReadGoalAsync(_tenant, goal, afterSeq, countMax, None)).Select(entry => entry.Seq);
}
