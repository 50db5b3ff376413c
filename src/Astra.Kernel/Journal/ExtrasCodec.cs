using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>
/// The binary form of <see cref="TaskExtras"/> and <see cref="GoalExtras"/>: for each field that is there, in ascending
/// order, its tag and its bytes. Nothing at all when there is none. A tag is on disk for ever; one that this build does
/// not know stops the read, because leaving it out would change what was promised.
/// </summary>
public static class ExtrasCodec
{
    private const byte TaskGroup = 1;
    private const byte TaskFanOut = 2;
    private const byte TaskOutcome = 3;
    private const byte TaskIsSkipped = 4;
    private const byte TaskWantedOutcomes = 5;
    private const byte TaskNotBefore = 20;
    private const byte TaskDeadline = 21;
    private const byte TaskRetry = 40;
    private const byte TaskWorkersLostMax = 41;
    private const byte TaskEffectKeys = 42;
    private const byte TaskEffect = 43;
    private const byte TaskFixCount = 44;
    private const byte TaskQueue = 22;
    private const byte TaskRequires = 23;
    private const byte TaskDelegations = 60;
    private const byte TaskApproval = 61;

    private const byte GoalParent = 1;
    private const byte GoalRetriesMax = 40;
    private const byte GoalRetriesUsed = 41;
    private const byte GoalPaused = 20;
    private const byte GoalAfter = 60;
    private const byte GoalOnFailedGoal = 61;
    private const byte GoalOnCancelledParent = 62;
    private const byte GoalDepth = 63;

    public static byte[] Encode(TaskExtras extras)
    {
        if (extras == TaskExtras.None)
            return [];
        var writer = new FieldWriter();
        writer.OptionalText(TaskGroup, extras.Group);
        if (!extras.FanOut.IsEmpty)
        {
            writer.Byte(TaskFanOut);
            writer.Bytes(extras.FanOut.Span);
        }
        writer.OptionalText(TaskOutcome, extras.Outcome);
        if (extras.IsSkipped)
            writer.Byte(TaskIsSkipped);
        if (extras.WantedOutcomes is { } wanted)
        {
            writer.Byte(TaskWantedOutcomes);
            writer.Length(wanted.Count);
            foreach (var outcome in wanted)
                writer.OptionalText(outcome);
        }
        writer.OptionalTime(TaskNotBefore, extras.NotBefore);
        writer.OptionalTime(TaskDeadline, extras.Deadline);
        if (extras.Retry is { } retry)
        {
            writer.Byte(TaskRetry);
            writer.Int64(retry.DelayMin.Ticks);
            writer.Int64(retry.DelayMax.Ticks);
            writer.Int64(BitConverter.DoubleToInt64Bits(retry.Factor));
        }
        writer.OptionalInt32(TaskWorkersLostMax, extras.WorkersLostMax);
        if (extras.EffectKeys is { } keys)
        {
            writer.Byte(TaskEffectKeys);
            writer.Byte((byte)keys);
        }
        if (extras.Effect is { } effect)
        {
            writer.Byte(TaskEffect);
            writer.Effect(effect);
        }
        writer.OptionalInt32(TaskFixCount, extras.FixCount == 0 ? null : extras.FixCount);
        writer.OptionalText(TaskQueue, extras.Queue);
        writer.OptionalText(TaskRequires, extras.Requires);
        if (extras.Delegations is { } delegations)
        {
            writer.Byte(TaskDelegations);
            writer.Delegations(delegations);
        }
        if (extras.Approval is { } approval)
        {
            writer.Byte(TaskApproval);
            writer.Approval(approval);
        }
        return writer.End();
    }

    public static byte[] Encode(GoalExtras extras)
    {
        if (extras == GoalExtras.None)
            return [];
        var writer = new FieldWriter();
        if (extras.Parent is { } parent)
        {
            writer.Byte(GoalParent);
            writer.Id(parent.Value);
        }
        writer.OptionalInt32(GoalRetriesMax, extras.RetriesMax);
        writer.OptionalInt32(GoalRetriesUsed, extras.RetriesUsed == 0 ? null : extras.RetriesUsed);
        if (extras.Pause is { } pause)
        {
            writer.Byte(GoalPaused);
            writer.Text(pause.By);
            writer.OptionalText(pause.Reason);
            writer.Time(pause.At);
        }
        if (extras.After is { } after)
        {
            writer.Byte(GoalAfter);
            writer.GoalDependencies(after);
        }
        writer.OptionalByte(GoalOnFailedGoal, (byte?)extras.OnFailedGoal);
        writer.OptionalByte(GoalOnCancelledParent, (byte?)extras.OnCancelledParent);
        writer.OptionalInt32(GoalDepth, extras.Depth == 0 ? null : extras.Depth);
        return writer.End();
    }

    public static TaskExtras DecodeTask(ReadOnlySpan<byte> data)
    {
        var extras = TaskExtras.None;
        for (var reader = new FieldReader(data); !reader.IsAtEnd;)
        {
            var tag = reader.Byte();
            extras = tag switch
            {
                TaskGroup => extras with { Group = reader.Text() },
                TaskFanOut => extras with { FanOut = reader.Bytes() },
                TaskOutcome => extras with { Outcome = reader.Text() },
                TaskIsSkipped => extras with { IsSkipped = true },
                TaskWantedOutcomes => extras with { WantedOutcomes = reader.OptionalTexts() },
                TaskNotBefore => extras with { NotBefore = reader.Time() },
                TaskDeadline => extras with { Deadline = reader.Time() },
                TaskRetry => extras with { Retry = new RetryPolicy(reader.Duration(), reader.Duration(), BitConverter.Int64BitsToDouble(reader.Int64())) },
                TaskWorkersLostMax => extras with { WorkersLostMax = reader.Int32() },
                TaskEffectKeys => extras with { EffectKeys = (EffectKeys)reader.Byte() },
                TaskEffect => extras with { Effect = reader.Effect() },
                TaskFixCount => extras with { FixCount = reader.Int32() },
                TaskQueue => extras with { Queue = reader.Text() },
                TaskRequires => extras with { Requires = reader.Text() },
                TaskDelegations => extras with { Delegations = reader.Delegations() },
                TaskApproval => extras with { Approval = reader.Approval() },
                _ => throw Unknown(tag),
            };
        }
        return extras;
    }

    public static GoalExtras DecodeGoal(ReadOnlySpan<byte> data)
    {
        var extras = GoalExtras.None;
        for (var reader = new FieldReader(data); !reader.IsAtEnd;)
        {
            var tag = reader.Byte();
            extras = tag switch
            {
                GoalParent => extras with { Parent = new GoalId(reader.Id()) },
                GoalRetriesMax => extras with { RetriesMax = reader.Int32() },
                GoalRetriesUsed => extras with { RetriesUsed = reader.Int32() },
                GoalPaused => extras with { Pause = new GoalPause(reader.Text(), reader.OptionalText(), reader.Time()) },
                GoalAfter => extras with { After = reader.GoalDependencies() },
                GoalOnFailedGoal => extras with { OnFailedGoal = (CascadePolicy)reader.Byte() },
                GoalOnCancelledParent => extras with { OnCancelledParent = (CascadePolicy)reader.Byte() },
                GoalDepth => extras with { Depth = reader.Int32() },
                _ => throw Unknown(tag),
            };
        }
        return extras;
    }

    private static InvalidDataException Unknown(byte tag) => new($"A field has the unknown tag {tag}. Run a newer build.");
}
