using Astra.Chaos.Audit;
using Astra.Chaos.Load;
using Astra.Chaos.Worker;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using GoalRow = Astra.Chaos.Audit.GoalRow;
using TaskRow = Astra.Chaos.Audit.TaskRow;

namespace Astra.Chaos.Tests;

/// <summary>The instrument itself: what it has to find, it finds, and in the right column.</summary>
public sealed class AuditTests
{
    private static readonly Guid Goal = Guid.NewGuid();
    private static readonly Guid Parent = Guid.NewGuid();
    private static readonly Guid Child = Guid.NewGuid();

    private readonly Findings _findings = new();
    private readonly LogTrail _log;
    private long _seq;

    public AuditTests() => _log = new LogTrail(_findings);

    [Fact]
    public void A_goal_that_went_well_is_clean()
    {
        Story(parentFirst: true);
        Check(PageOf(), TaskState.Completed);
        Assert.Empty(_findings.All);
    }

    [Fact]
    public void A_goal_that_was_acknowledged_and_is_not_there_is_lost()
    {
        new GoalCheck(_log, _ => 0, _findings).Check(PageOf(), goal: null, []);
        Assert.Equal(Loss.Lost, Assert.Single(_findings.All).Loss);
    }

    [Fact]
    public void A_task_that_is_completed_twice_is_doubled()
    {
        Story(parentFirst: true);
        Add(Parent, EventKind.TaskCompleted, from: TaskState.Completed, to: TaskState.Completed, attempt: 1);
        Assert.Equal(1, _findings.CountOf(Loss.Doubled));
    }

    [Fact]
    public void A_task_that_was_started_before_what_it_waits_for_had_completed_is_out_of_order()
    {
        Story(parentFirst: false);
        Check(PageOf(), TaskState.Completed);
        Assert.Equal(Loss.OutOfOrder, Assert.Single(_findings.All).Loss);
    }

    [Fact]
    public void A_goal_that_has_not_ended_is_found()
    {
        Add(Parent, EventKind.TaskAdded, to: TaskState.Ready);
        Add(Child, EventKind.TaskAdded, to: TaskState.Pending);
        new GoalCheck(_log, _ => 0, _findings).Check(PageOf(), Row(GoalState.Active, pending: 1, ready: 1),
            [new TaskRow(Parent, Goal, "parent", TaskState.Ready, 0, [], null), new TaskRow(Child, Goal, "child", TaskState.Pending, 0, [Parent], null)]);
        Assert.Equal(Loss.Unended, Assert.Single(_findings.All).Loss);
    }

    [Fact]
    public void A_report_of_an_attempt_that_is_over_is_a_stale_write()
    {
        Add(Parent, EventKind.TaskAdded, to: TaskState.Ready);
        Claim(Parent, 1);
        Add(Parent, EventKind.TaskExpired, TaskState.Running, TaskState.Ready, 1);
        Claim(Parent, 2);
        Add(Parent, EventKind.TaskCompleted, TaskState.Running, TaskState.Completed, attempt: 1);
        Assert.Equal(Loss.Stale, Assert.Single(_findings.All).Loss);
    }

    [Theory]
    [InlineData(1, "2.1", 4, Loss.Stale)] // Another writer under the same epoch.
    [InlineData(0, "1.1", 4, Loss.Stale)] // An epoch that is over.
    [InlineData(2, "2.1", 5, Loss.Unequal)] // A number is missing.
    public void A_write_from_behind_the_fence_is_found(long epoch, string writer, long first, object loss)
    {
        var writers = new WriterTrail(_findings);
        writers.Add(new Append(7, 1, "1.1", 1, 3));
        writers.Add(new Append(7, epoch, writer, first, 9));
        Assert.Equal(loss, Assert.Single(_findings.All).Loss);
    }

    [Fact]
    public void A_takeover_under_a_later_epoch_is_clean()
    {
        var writers = new WriterTrail(_findings);
        writers.Add(new Append(7, 1, "1.1", 1, 3));
        writers.Add(new Append(7, 2, "2.1", 4, 4));
        Assert.Empty(_findings.All);
        Assert.Equal(1, writers.TakeoverCount);
    }

    [Fact]
    public void A_gap_in_the_numbers_of_a_shard_is_found()
    {
        Add(Parent, EventKind.TaskAdded, to: TaskState.Ready);
        _seq++;
        Add(Child, EventKind.TaskAdded, to: TaskState.Pending);
        Assert.Equal(Loss.Unequal, Assert.Single(_findings.All).Loss);
    }

    [Theory]
    [InlineData(0, Loss.Lost)]
    [InlineData(2, Loss.Doubled)]
    public void An_effect_that_was_never_seen_or_seen_twice_is_found(int seen, object loss)
    {
        Add(Parent, EventKind.TaskAdded, to: TaskState.Ready);
        Claim(Parent, 1);
        Add(Parent, EventKind.TaskCompleted, TaskState.Running, TaskState.Completed, 1);
        Add(null, EventKind.GoalCompleted);
        var page = new LedgerPage("effect-1", Shape.Effect, [new PlannedStep("parent", ChaosAgent.Effect, Fate.Completes, [])]) { Goal = Goal };
        new GoalCheck(_log, _ => seen, _findings).Check(page, Row(GoalState.Completed, completed: 1, key: "effect-1"), [new TaskRow(Parent, Goal, "parent", TaskState.Completed, 1, [], 1)]);
        Assert.Equal(loss, Assert.Single(_findings.All).Loss);
    }

    [Fact]
    public async Task A_ledger_that_is_read_back_is_what_was_written()
    {
        var path = Path.Combine(Path.GetTempPath(), $"ledger-{Guid.NewGuid():N}");
        try
        {
            await using (var ledger = new Ledger(path))
            {
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.Sent, Key = "edited-1", Shape = Shape.Edited, Steps = Shapes.PlanOf(Shape.Edited, new Random(1)) });
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.Acknowledged, Key = "edited-1", Goal = Goal });
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.EditSent, Key = "edited-1", Edit = 0, Steps = [] });
                await ledger.AddAsync(new LedgerLine { Word = LedgerWord.EditAcknowledged, Key = "edited-1", Edit = 0 });
            }
            var page = Assert.Single(LedgerBook.Read(path).Pages);
            Assert.Equal(("edited-1", Goal, 2, true), (page.Key, page.Goal, page.Steps.Count, page.Edits[0].WasAcknowledged));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static LedgerPage PageOf() =>
        new("diamond-1", Shape.Diamond, [new PlannedStep("parent", ChaosAgent.Work, Fate.Completes, []), new PlannedStep("child", ChaosAgent.Work, Fate.Completes, ["parent"])]) { Goal = Goal };

    private static GoalRow Row(GoalState state, int pending = 0, int ready = 0, int completed = 0, string key = "diamond-1") => new(Goal, key, state, [pending, ready, 0, completed, 0, 0]);

    private void Check(LedgerPage page, TaskState state) =>
        new GoalCheck(_log, _ => 0, _findings).Check(page, Row(GoalState.Completed, completed: 2), [new TaskRow(Parent, Goal, "parent", state, 1, [], 1), new TaskRow(Child, Goal, "child", state, 1, [Parent], 2)]);

    private void Story(bool parentFirst)
    {
        Add(Parent, EventKind.TaskAdded, to: TaskState.Ready);
        Add(Child, EventKind.TaskAdded, to: TaskState.Ready);
        Claim(Parent, 1);
        if (!parentFirst)
            Claim(Child, 1);
        Add(Parent, EventKind.TaskCompleted, TaskState.Running, TaskState.Completed, 1);
        if (parentFirst)
            Claim(Child, 1);
        Add(Child, EventKind.TaskCompleted, TaskState.Running, TaskState.Completed, 1);
        Add(null, EventKind.GoalCompleted);
    }

    private void Claim(Guid task, int attempt) => Add(task, EventKind.TaskClaimed, TaskState.Ready, TaskState.Running, attempt);

    private void Add(Guid? task, EventKind kind, TaskState? from = null, TaskState? to = null, int attempt = 0) =>
        _log.Add(new LogEntry(7, ++_seq, Goal, task, kind, from, to, attempt, 1, []));
}
