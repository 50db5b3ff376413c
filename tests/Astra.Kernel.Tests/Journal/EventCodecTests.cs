using System.Text;
using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Journal;

/// <summary>
/// What was written once is read for ever. When a frozen sample fails, the change belongs into a new codec version beside
/// the old one, with samples of its own; the old samples stay.
/// </summary>
public sealed class EventCodecTests
{
    private static readonly Guid One = new("00112233-4455-6677-8899-aabbccddeeff");

    public static TheoryData<EventKind, string> Samples => new()
    {
        { EventKind.GoalSubmitted, "01056167656E74057469746C65020102F9FFFFFF0201036B65791032547698BADCFE03616461" },
        { EventKind.PlanEdited, "2C01000000000000047465787400" },
        { EventKind.TaskAdded, "046E616D6508746F6F6C3A784031046B696E640103050000000300000000A3E111000000000100112233445566778899AABBCCDDEEFF02" },
        { EventKind.TaskRemoved, "" },
        { EventKind.TaskRewired, "0300112233445566778899AABBCCDDEEFF0100112233445566778899AABBCCDDEEFF0200112233445566778899AABBCCDDEEFF01" },
        { EventKind.TaskPrioritised, "2C010000" },
        { EventKind.TaskUnblocked, "" },
        { EventKind.TaskBlocked, "" },
        { EventKind.TaskDoomed, "00112233445566778899AABBCCDDEEFF" },
        { EventKind.TaskClaimed, "00112233445566778899AABBCCDDEEFF047465787400112233445566778899AABBCCDDEEFF" },
        { EventKind.TaskCompleted, "03040506" },
        { EventKind.TaskRetried, "010474657874057072696E7480C03BA4BAC5E208" },
        { EventKind.TaskDied, "0304746578740474657874" },
        { EventKind.TaskExpired, "0474657874" },
        { EventKind.TaskSuspended, "" },
        { EventKind.TaskCancelled, "0474657874" },
        { EventKind.TaskRedriven, "0474657874" },
        { EventKind.GoalCompleted, "03040506" },
        { EventKind.GoalFailed, "0474657874" },
        { EventKind.GoalCancelled, "0474657874" },
        { EventKind.GoalReopened, "0474657874" },
        { EventKind.TaskSkipped, "00112233445566778899AABBCCDDEEFF" },
        { EventKind.TaskReplaced, "047465787404746578740474657874030405062C0100000300000000A3E1110000000000" },
        { EventKind.TaskExtended, "0300112233445566778899AABBCCDDEEFF0100112233445566778899AABBCCDDEEFF0200112233445566778899AABBCCDDEEFF01" },
        { EventKind.GoalPaused, "047465787400" },
        { EventKind.GoalResumed, "0474657874" },
        { EventKind.TaskReleased, "0474657874" },
        { EventKind.EffectIntended, "0474657874" },
        { EventKind.EffectSettled, "0203040506010474657874" },
        { EventKind.EffectLost, "0404746578740474657874" },
        { EventKind.TaskFixed, "01047465787401030405060474657874" },
        { EventKind.PredecessorEnded, "00112233445566778899AABBCCDDEEFF03" },
        { EventKind.GoalDelegated, "04746578742C01000000000000" },
        { EventKind.GoalReleased, "0474657874" },
        { EventKind.GoalDiscarded, "04746578740474657874" },
        { EventKind.ApprovalVoted, "010474657874047465787400" },
    };

    [Fact]
    public void There_is_a_frozen_sample_of_every_kind() =>
        Assert.Equal(Enum.GetValues<EventKind>(), Samples.Select(sample => sample.Data.Item1));

    [Theory]
    [MemberData(nameof(Samples))]
    public void What_was_written_once_is_still_written_and_read_so(EventKind kind, string hex)
    {
        Assert.Equal(hex, Convert.ToHexString(EventCodec.Encode(SampleOf(kind))));
        Assert.Equal(hex, Convert.ToHexString(EventCodec.Encode(EventCodec.Decode(kind, 1, Convert.FromHexString(hex)))));
    }

    [Fact]
    public void Whatever_is_written_is_read_back_the_same() => Prop.ForAll<string, byte[], int>((anyText, bytes, number) =>
    {
        var text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(anyText ?? ""));
        foreach (var kind in Enum.GetValues<EventKind>())
        {
            var made = Make(kind, text, bytes ?? [], number);
            var written = EventCodec.Encode(made);
            var read = EventCodec.Decode(kind, EventCodec.VersionOf(made), written);
            Assert.Equal(kind, read.Kind);
            Assert.Equal(written, EventCodec.Encode(read));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_field_comes_back()
    {
        var submitted = Assert.IsType<KernelEvent.GoalSubmitted>(Read(SampleOf(EventKind.GoalSubmitted)));
        Assert.Equal(("agent", "title", -7, DeadTaskPolicy.Wait, "key", 0xfedcba9876543210, "ada"), (submitted.Agent, submitted.Title, submitted.Priority, submitted.DeadTaskPolicy, submitted.IdempotencyKey, submitted.RequestDigest, submitted.SubmittedBy));
        var added = Assert.IsType<KernelEvent.TaskAdded>(Read(SampleOf(EventKind.TaskAdded)));
        Assert.Equal(("name", "tool:x@1", "kind", 5, 3, TimeSpan.FromSeconds(30)), (added.Spec.Name, added.Spec.Executor, added.Spec.Kind, added.Spec.Priority, added.Spec.AttemptCountMax, added.Spec.LeaseDuration));
        Assert.Equal([new Dependency(new TaskId(One), DependencyKind.Ended)], added.After);
        var retried = Assert.IsType<KernelEvent.TaskRetried>(Read(SampleOf(EventKind.TaskRetried)));
        Assert.Equal((new Failure(FailureKind.Transient, "text", "print"), new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero)), (retried.Failure, retried.DueAt));
        Assert.Null(Assert.IsType<KernelEvent.TaskClaimed>(Read(new KernelEvent.TaskClaimed(new WorkerId(One), "w", null))).WorkerProcess);
    }

    /// <summary>Every field of the extras, in the bytes it is written in for ever. A new field gets a line of its own.</summary>
    [Theory]
    [InlineData("1480C03BA4BAC5E208", "not-before")]
    [InlineData("010667726F75702F", "group")]
    [InlineData("03046F757463", "outcome")]
    [InlineData("04", "skipped")]
    [InlineData("1580C03BA4BAC5E208", "deadline")]
    [InlineData("288096980000000000002F6859000000000000000000000840", "retry")]
    [InlineData("2903000000", "workers-lost")]
    [InlineData("2A02", "effect-keys")]
    [InlineData("2B020000000303706179" + "80C03BA4BAC5E208" + "00" + "0103616461", "effect")]
    [InlineData("2C02000000", "fixes")]
    [InlineData("1606656D61696C73", "queue")]
    [InlineData("170C677075206F733A6C696E7578", "requires")]
    [InlineData("3D02000000" + "0103616461" + "00", "approval")]
    public void An_extra_of_a_task_is_still_written_and_read_as_it_was(string hex, string field)
    {
        var at = new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var extras = field switch
        {
            "not-before" => new TaskExtras { NotBefore = at },
            "group" => new TaskExtras { Group = "group/" },
            "outcome" => new TaskExtras { Outcome = "outc" },
            "skipped" => new TaskExtras { IsSkipped = true },
            "deadline" => new TaskExtras { Deadline = at },
            "retry" => new TaskExtras { Retry = new RetryPolicy(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(150), 3) },
            "workers-lost" => new TaskExtras { WorkersLostMax = 3 },
            "effect-keys" => new TaskExtras { EffectKeys = EffectKeys.PerAttempt },
            "effect" => new TaskExtras { Effect = new EffectRecord(2, EffectState.NotSent, "pay", at, default, "ada") },
            "fixes" => new TaskExtras { FixCount = 2 },
            "queue" => new TaskExtras { Queue = "emails" },
            "requires" => new TaskExtras { Requires = "gpu os:linux" },
            "approval" => new TaskExtras { Approval = new Approval(2) { AskedBy = "ada" } },
            _ => throw new ArgumentOutOfRangeException(nameof(field)),
        };
        Assert.Equal(hex, Convert.ToHexString(ExtrasCodec.Encode(extras)));
        var read = ExtrasCodec.DecodeTask(Convert.FromHexString(hex));
        Assert.Equal(hex, Convert.ToHexString(ExtrasCodec.Encode(read)));
        // Bytes compare by where they are, so an output that came back has to be put where it was.
        Assert.Equal(extras, read.Effect is null ? read : read with { Effect = read.Effect with { Output = default } });
    }

    [Fact]
    public void Lists_among_the_extras_are_still_written_and_read_as_they_were()
    {
        var fanOut = new TaskExtras { FanOut = new byte[] { 7, 8 } };
        Assert.Equal("02020708", Convert.ToHexString(ExtrasCodec.Encode(fanOut)));
        Assert.Equal([7, 8], ExtrasCodec.DecodeTask(Convert.FromHexString("02020708")).FanOut.ToArray());
        var wanted = new TaskExtras { WantedOutcomes = [null, "yes"] };
        Assert.Equal("0502000103796573", Convert.ToHexString(ExtrasCodec.Encode(wanted)));
        Assert.Equal([null, "yes"], ExtrasCodec.DecodeTask(Convert.FromHexString("0502000103796573")).WantedOutcomes!);
        var delegations = new TaskExtras { Delegations = [new Delegation("#1", 7)] };
        Assert.Equal("3C010223310700000000000000", Convert.ToHexString(ExtrasCodec.Encode(delegations)));
        Assert.Equal(delegations.Delegations, ExtrasCodec.DecodeTask(Convert.FromHexString("3C010223310700000000000000")).Delegations);
        var after = new GoalExtras { After = [new GoalDependency(new GoalId(One), GoalCondition.Completed), new GoalDependency(new GoalId(One), GoalCondition.Ended, GoalState.Failed)] };
        const string AfterHex = "3C0200112233445566778899AABBCCDDEEFF010000112233445566778899AABBCCDDEEFF0203";
        Assert.Equal(AfterHex, Convert.ToHexString(ExtrasCodec.Encode(after)));
        Assert.Equal(after.After, ExtrasCodec.DecodeGoal(Convert.FromHexString(AfterHex)).After);
    }

    /// <summary>The third form: outcomes, and the kinds of dependency that came with them.</summary>
    [Fact]
    public void What_came_with_outcomes_is_still_written_and_read_as_it_was()
    {
        var after = new[] { new Dependency(new TaskId(One), DependencyKind.Outcome, "yes"), new Dependency(new TaskId(One), DependencyKind.Passed) };
        const string AfterHex = "0200112233445566778899AABBCCDDEEFF030379657300112233445566778899AABBCCDDEEFF04";
        foreach (var (written, hex) in new (KernelEvent, string)[]
        {
            (new KernelEvent.TaskCompleted(new byte[] { 4 }, "yes"), "010403796573"),
            (new KernelEvent.TaskRewired(after), AfterHex),
            (new KernelEvent.TaskExtended(after), AfterHex),
            (new KernelEvent.TaskAdded(new TaskSpec { Name = "n", Executor = "e" }, after), "016E01650000000000000300000000A3E11100000000" + AfterHex + "00"),
        })
        {
            Assert.Equal(3, EventCodec.VersionOf(written));
            Assert.Equal(hex, Convert.ToHexString(EventCodec.Encode(written)));
            Assert.Equal(hex, Convert.ToHexString(EventCodec.Encode(EventCodec.Decode(written.Kind, 3, Convert.FromHexString(hex)))));
        }
    }

    [Theory]
    [InlineData("0100112233445566778899AABBCCDDEEFF", "parent")]
    [InlineData("280A000000", "retries-max")]
    [InlineData("2903000000", "retries-used")]
    [InlineData("3D02", "on-failed-goal")]
    [InlineData("3E01", "on-cancelled-parent")]
    [InlineData("3F04000000", "depth")]
    [InlineData("14036164610103776879" + "80C03BA4BAC5E208", "paused")]
    public void An_extra_of_a_goal_is_still_written_and_read_as_it_was(string hex, string field)
    {
        var extras = field switch
        {
            "parent" => new GoalExtras { Parent = new GoalId(One) },
            "retries-max" => new GoalExtras { RetriesMax = 10 },
            "retries-used" => new GoalExtras { RetriesUsed = 3 },
            "on-failed-goal" => new GoalExtras { OnFailedGoal = CascadePolicy.GoOn },
            "on-cancelled-parent" => new GoalExtras { OnCancelledParent = CascadePolicy.Cancel },
            "depth" => new GoalExtras { Depth = 4 },
            "paused" => new GoalExtras { Pause = new GoalPause("ada", "why", new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero)) },
            _ => throw new ArgumentOutOfRangeException(nameof(field)),
        };
        Assert.Equal(hex, Convert.ToHexString(ExtrasCodec.Encode(extras)));
        Assert.Equal(extras, ExtrasCodec.DecodeGoal(Convert.FromHexString(hex)));
    }

    [Fact]
    public void Votes_are_still_written_and_read_as_they_were()
    {
        var vote = new Vote("bob", "ab", new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero), null);
        var written = ExtrasCodec.Encode(new TaskExtras { Approval = new Approval(2) { AskedBy = "ada", Votes = [vote] } });
        Assert.Equal("3D02000000" + "0103616461" + "01" + "03626F62" + "026162" + "80C03BA4BAC5E208" + "00", Convert.ToHexString(written));
        Assert.Equal(vote, Assert.Single(ExtrasCodec.DecodeTask(written).Approval!.Votes));
    }

    [Fact]
    public void Extras_travel_with_the_entry_that_adds_a_task_and_with_the_one_that_begins_a_goal()
    {
        var added = (KernelEvent.TaskAdded)SampleOf(EventKind.TaskAdded);
        var withDeadline = added with { Spec = added.Spec with { Extras = new TaskExtras { Deadline = DateTimeOffset.UnixEpoch } } };
        Assert.Equal(withDeadline.Spec.Extras, ((KernelEvent.TaskAdded)Read(withDeadline)).Spec.Extras);
        var submitted = (KernelEvent.GoalSubmitted)SampleOf(EventKind.GoalSubmitted) with { Extras = new GoalExtras { Parent = new GoalId(One) } };
        Assert.Equal(submitted.Extras, ((KernelEvent.GoalSubmitted)Read(submitted)).Extras);
    }

    [Fact]
    public void A_damaged_entry_is_an_error_and_never_something_else()
    {
        var written = EventCodec.Encode(SampleOf(EventKind.TaskAdded));
        for (var length = 0; length < written.Length; length++)
            Assert.Throws<InvalidDataException>(() => EventCodec.Decode(EventKind.TaskAdded, 1, written.AsSpan(0, length)));
        Assert.Throws<InvalidDataException>(() => EventCodec.Decode((EventKind)99, 1, written));
        Assert.Throws<InvalidDataException>(() => EventCodec.Decode(EventKind.TaskAdded, 4, written));
    }

    private static KernelEvent Read(KernelEvent written) => EventCodec.Decode(written.Kind, EventCodec.VersionOf(written), EventCodec.Encode(written));

    private static KernelEvent SampleOf(EventKind kind) => kind switch
    {
        EventKind.GoalSubmitted => new KernelEvent.GoalSubmitted
        {
            Agent = "agent", Title = "title", Input = new byte[] { 1, 2 }, Priority = -7, DeadTaskPolicy = DeadTaskPolicy.Wait,
            IdempotencyKey = "key", RequestDigest = 0xfedcba9876543210, SubmittedBy = "ada",
        },
        EventKind.TaskAdded => new KernelEvent.TaskAdded(
            new TaskSpec { Name = "name", Executor = "tool:x@1", Kind = "kind", Input = new byte[] { 3 }, Priority = 5 }, [new Dependency(new TaskId(One), DependencyKind.Ended)]),
        EventKind.TaskRetried => new KernelEvent.TaskRetried(new Failure(FailureKind.Transient, "text", "print"), new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero)),
        _ => Make(kind, "text", [4, 5, 6], 300),
    };

    private static KernelEvent Make(EventKind kind, string text, byte[] bytes, int number) => kind switch
    {
        EventKind.GoalSubmitted => new KernelEvent.GoalSubmitted
        {
            Agent = number % 2 == 0 ? null : text, Title = text, Input = bytes, Priority = number, DeadTaskPolicy = DeadTaskPolicy.Doom,
            IdempotencyKey = number % 3 == 0 ? null : text, RequestDigest = (ulong)number, SubmittedBy = text,
        },
        EventKind.PlanEdited => new KernelEvent.PlanEdited(number, text, number % 2 == 0 ? null : text),
        EventKind.TaskAdded => new KernelEvent.TaskAdded(new TaskSpec { Name = text, Executor = text, Kind = text, Input = bytes, Priority = number }, Dependencies(bytes)),
        EventKind.TaskRemoved => new KernelEvent.TaskRemoved(),
        EventKind.TaskRewired => new KernelEvent.TaskRewired(Dependencies(bytes)),
        EventKind.TaskPrioritised => new KernelEvent.TaskPrioritised(number),
        EventKind.TaskUnblocked => new KernelEvent.TaskUnblocked(),
        EventKind.TaskBlocked => new KernelEvent.TaskBlocked(),
        EventKind.TaskDoomed => new KernelEvent.TaskDoomed(new TaskId(One)),
        EventKind.TaskClaimed => new KernelEvent.TaskClaimed(new WorkerId(One), text, number % 2 == 0 ? One : null),
        EventKind.TaskCompleted => new KernelEvent.TaskCompleted(bytes),
        EventKind.TaskRetried => new KernelEvent.TaskRetried(new Failure(FailureKind.Transient, text, text), DateTimeOffset.UnixEpoch.AddTicks(number)),
        EventKind.TaskDied => new KernelEvent.TaskDied(new Failure(FailureKind.Poison, text, text)),
        EventKind.TaskExpired => new KernelEvent.TaskExpired(text),
        EventKind.TaskSuspended => new KernelEvent.TaskSuspended(),
        EventKind.TaskCancelled => new KernelEvent.TaskCancelled(text),
        EventKind.TaskRedriven => new KernelEvent.TaskRedriven(text),
        EventKind.GoalCompleted => new KernelEvent.GoalCompleted(bytes),
        EventKind.GoalFailed => new KernelEvent.GoalFailed(text),
        EventKind.GoalCancelled => new KernelEvent.GoalCancelled(text),
        EventKind.GoalReopened => new KernelEvent.GoalReopened(text),
        EventKind.TaskSkipped => new KernelEvent.TaskSkipped(new TaskId(One)),
        EventKind.TaskReplaced => new KernelEvent.TaskReplaced(new TaskSpec { Name = text, Executor = text, Kind = text, Input = bytes, Priority = number }),
        EventKind.TaskExtended => new KernelEvent.TaskExtended(Dependencies(bytes)),
        EventKind.TaskReleased => new KernelEvent.TaskReleased(text),
        EventKind.EffectIntended => new KernelEvent.EffectIntended(text),
        EventKind.EffectSettled => new KernelEvent.EffectSettled(number % 2 == 0 ? EffectState.Sent : EffectState.NotSent, bytes, number % 3 == 1 ? null : text),
        EventKind.EffectLost => new KernelEvent.EffectLost(new Failure(FailureKind.UnknownEffect, text, text)),
        EventKind.TaskFixed => new KernelEvent.TaskFixed(number % 2 == 0 ? text : null, number % 3 == 0 ? (ReadOnlyMemory<byte>?)bytes : null, text),
        EventKind.PredecessorEnded => new KernelEvent.PredecessorEnded(new GoalId(One), GoalState.Failed),
        EventKind.GoalDelegated => new KernelEvent.GoalDelegated(text, (ulong)number),
        EventKind.GoalReleased => new KernelEvent.GoalReleased(text),
        EventKind.GoalDiscarded => new KernelEvent.GoalDiscarded(text, text),
        EventKind.ApprovalVoted => new KernelEvent.ApprovalVoted(number % 2 == 0, text, text, number % 3 == 0 ? null : text),
        EventKind.GoalPaused => new KernelEvent.GoalPaused(text, number % 2 == 0 ? null : text),
        EventKind.GoalResumed => new KernelEvent.GoalResumed(text),
        _ => throw new InvalidOperationException($"Give {kind} a sample here and a frozen one above."),
    };

    private static Dependency[] Dependencies(byte[] bytes) => [.. bytes.Select(value => new Dependency(new TaskId(One), value % 2 == 0 ? DependencyKind.Completed : DependencyKind.Ended))];
}
