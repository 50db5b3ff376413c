using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>
/// The binary form of events. What was written once is read for ever: a change of form is a new version beside the old
/// one, and EventCodecTests holds a frozen sample of every kind in every version.
/// </summary>
public static class EventCodec
{
    /// <summary>The latest form. An entry that has nothing of what it added is still written in the first.</summary>
    public const short Version = 3;

    private const short WithoutExtras = 1;
    private const short WithoutOutcomes = 2;

    /// <summary>The form in which this event is written.</summary>
    public static short VersionOf(KernelEvent kernelEvent) => kernelEvent switch
    {
        KernelEvent.GoalSubmitted e when e.Extras != GoalExtras.None => WithoutOutcomes,
        KernelEvent.TaskAdded e when AsksForMore(e.After) => Version,
        KernelEvent.TaskAdded e when e.Spec.Extras != TaskExtras.None => WithoutOutcomes,
        KernelEvent.TaskRewired e when AsksForMore(e.After) => Version,
        KernelEvent.TaskCompleted { Outcome: not null } => Version,
        KernelEvent.TaskExtended => Version,
        _ => WithoutExtras,
    };

    // A build that does not know these kinds of dependency must not take them for others.
    private static bool AsksForMore(IReadOnlyList<Dependency> after)
    {
        for (var i = 0; i < after.Count; i++)
            if (after[i].Kind > DependencyKind.Ended)
                return true;
        return false;
    }

    public static byte[] Encode(KernelEvent kernelEvent)
    {
        var writer = new FieldWriter();
        switch (kernelEvent)
        {
            case KernelEvent.GoalSubmitted e:
                writer.OptionalText(e.Agent);
                writer.Text(e.Title);
                writer.Bytes(e.Input.Span);
                writer.Int32(e.Priority);
                writer.Byte((byte)e.DeadTaskPolicy);
                writer.OptionalText(e.IdempotencyKey);
                writer.Int64((long)e.RequestDigest);
                writer.Text(e.SubmittedBy);
                if (e.Extras != GoalExtras.None)
                    writer.Bytes(ExtrasCodec.Encode(e.Extras));
                break;
            case KernelEvent.PlanEdited e:
                writer.Int64(e.Revision);
                writer.Text(e.By);
                writer.OptionalText(e.Reason);
                break;
            case KernelEvent.TaskAdded e:
                writer.Spec(e.Spec);
                writer.Dependencies(e.After);
                if (VersionOf(e) > WithoutExtras)
                    writer.Bytes(ExtrasCodec.Encode(e.Spec.Extras));
                break;
            case KernelEvent.TaskRewired e:
                writer.Dependencies(e.After);
                break;
            case KernelEvent.TaskExtended e:
                writer.Dependencies(e.After);
                break;
            case KernelEvent.TaskReplaced e:
                writer.Spec(e.Spec);
                writer.Bytes(ExtrasCodec.Encode(e.Spec.Extras));
                break;
            case KernelEvent.TaskPrioritised e:
                writer.Int32(e.Priority);
                break;
            case KernelEvent.TaskDoomed e:
                writer.Id(e.By.Value);
                break;
            case KernelEvent.TaskSkipped e:
                writer.Id(e.By.Value);
                break;
            case KernelEvent.TaskClaimed e:
                writer.Id(e.Worker.Value);
                writer.Text(e.WorkerName);
                writer.Id(e.WorkerProcess ?? Guid.Empty);
                break;
            case KernelEvent.TaskCompleted e:
                writer.Bytes(e.Output.Span);
                if (e.Outcome is { } outcome)
                    writer.Text(outcome);
                break;
            case KernelEvent.TaskRetried e:
                writer.Failure(e.Failure);
                writer.Int64(e.DueAt.UtcTicks);
                break;
            case KernelEvent.TaskDied e:
                writer.Failure(e.Failure);
                break;
            case KernelEvent.TaskExpired e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.TaskCancelled e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.TaskRedriven e:
                writer.Text(e.By);
                break;
            case KernelEvent.GoalCompleted e:
                writer.Bytes(e.Result.Span);
                break;
            case KernelEvent.GoalFailed e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.GoalCancelled e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.GoalReopened e:
                writer.Text(e.By);
                break;
            case KernelEvent.TaskReleased e:
                writer.Text(e.Reason);
                break;
            case KernelEvent.EffectIntended e:
                writer.Text(e.What);
                break;
            case KernelEvent.EffectSettled e:
                writer.Byte((byte)e.State);
                writer.Bytes(e.Output.Span);
                writer.OptionalText(e.By);
                break;
            case KernelEvent.EffectLost e:
                writer.Failure(e.Failure);
                break;
            case KernelEvent.TaskFixed e:
                writer.OptionalText(e.Executor);
                writer.Byte(e.Input is null ? (byte)0 : (byte)1);
                if (e.Input is { } input)
                    writer.Bytes(input.Span);
                writer.Text(e.By);
                break;
            case KernelEvent.ApprovalVoted e:
                writer.Byte(e.IsFor ? (byte)1 : (byte)0);
                writer.Text(e.Digest);
                writer.Text(e.By);
                writer.OptionalText(e.Reason);
                break;
            case KernelEvent.PredecessorEnded e:
                writer.Id(e.On.Value);
                writer.Byte((byte)e.State);
                break;
            case KernelEvent.GoalDelegated e:
                writer.Text(e.Name);
                writer.Int64((long)e.Digest);
                break;
            case KernelEvent.GoalReleased e:
                writer.Text(e.By);
                break;
            case KernelEvent.GoalDiscarded e:
                writer.Text(e.Reason);
                writer.Text(e.By);
                break;
            case KernelEvent.GoalPaused e:
                writer.Text(e.By);
                writer.OptionalText(e.Reason);
                break;
            case KernelEvent.GoalResumed e:
                writer.Text(e.By);
                break;
            case KernelEvent.TaskRemoved or KernelEvent.TaskUnblocked or KernelEvent.TaskBlocked or KernelEvent.TaskSuspended:
                break;
            default:
                throw new InvalidOperationException($"No binary form for {kernelEvent.Kind}.");
        }
        return writer.End();
    }

    public static KernelEvent Decode(EventKind kind, short version, ReadOnlySpan<byte> data)
    {
        if (version is < WithoutExtras or > Version)
            throw new InvalidDataException($"An entry is in codec version {version}, and this build reads up to {Version}. Run a newer build.");
        var reader = new FieldReader(data);
        return kind switch
        {
            EventKind.GoalSubmitted => new KernelEvent.GoalSubmitted
            {
                Agent = reader.OptionalText(),
                Title = reader.Text(),
                Input = reader.Bytes(),
                Priority = reader.Int32(),
                DeadTaskPolicy = (DeadTaskPolicy)reader.Byte(),
                IdempotencyKey = reader.OptionalText(),
                RequestDigest = (ulong)reader.Int64(),
                SubmittedBy = reader.Text(),
                Extras = version > WithoutExtras ? ExtrasCodec.DecodeGoal(reader.Span()) : GoalExtras.None,
            },
            EventKind.PlanEdited => new KernelEvent.PlanEdited(reader.Int64(), reader.Text(), reader.OptionalText()),
            EventKind.TaskAdded => ReadTaskAdded(ref reader, version),
            EventKind.TaskRemoved => new KernelEvent.TaskRemoved(),
            EventKind.TaskRewired => new KernelEvent.TaskRewired(reader.Dependencies()),
            EventKind.TaskPrioritised => new KernelEvent.TaskPrioritised(reader.Int32()),
            EventKind.TaskUnblocked => new KernelEvent.TaskUnblocked(),
            EventKind.TaskBlocked => new KernelEvent.TaskBlocked(),
            EventKind.TaskDoomed => new KernelEvent.TaskDoomed(new TaskId(reader.Id())),
            EventKind.TaskClaimed => new KernelEvent.TaskClaimed(new WorkerId(reader.Id()), reader.Text(), reader.OptionalId()),
            EventKind.TaskSkipped => new KernelEvent.TaskSkipped(new TaskId(reader.Id())),
            EventKind.TaskReplaced => new KernelEvent.TaskReplaced(reader.Spec() with { Extras = ExtrasCodec.DecodeTask(reader.Span()) }),
            EventKind.TaskExtended => new KernelEvent.TaskExtended(reader.Dependencies()),
            EventKind.TaskCompleted => new KernelEvent.TaskCompleted(reader.Bytes(), version > WithoutOutcomes ? reader.Text() : null),
            EventKind.TaskRetried => new KernelEvent.TaskRetried(reader.Failure(), new DateTimeOffset(reader.Int64(), TimeSpan.Zero)),
            EventKind.TaskDied => new KernelEvent.TaskDied(reader.Failure()),
            EventKind.TaskExpired => new KernelEvent.TaskExpired(reader.Text()),
            EventKind.TaskSuspended => new KernelEvent.TaskSuspended(),
            EventKind.TaskCancelled => new KernelEvent.TaskCancelled(reader.Text()),
            EventKind.TaskRedriven => new KernelEvent.TaskRedriven(reader.Text()),
            EventKind.GoalCompleted => new KernelEvent.GoalCompleted(reader.Bytes()),
            EventKind.GoalFailed => new KernelEvent.GoalFailed(reader.Text()),
            EventKind.GoalCancelled => new KernelEvent.GoalCancelled(reader.Text()),
            EventKind.GoalReopened => new KernelEvent.GoalReopened(reader.Text()),
            EventKind.TaskReleased => new KernelEvent.TaskReleased(reader.Text()),
            EventKind.EffectIntended => new KernelEvent.EffectIntended(reader.Text()),
            EventKind.EffectSettled => new KernelEvent.EffectSettled((EffectState)reader.Byte(), reader.Bytes(), reader.OptionalText()),
            EventKind.EffectLost => new KernelEvent.EffectLost(reader.Failure()),
            EventKind.PredecessorEnded => new KernelEvent.PredecessorEnded(new GoalId(reader.Id()), (GoalState)reader.Byte()),
            EventKind.GoalDelegated => new KernelEvent.GoalDelegated(reader.Text(), (ulong)reader.Int64()),
            EventKind.GoalReleased => new KernelEvent.GoalReleased(reader.Text()),
            EventKind.GoalDiscarded => new KernelEvent.GoalDiscarded(reader.Text(), reader.Text()),
            EventKind.TaskFixed => new KernelEvent.TaskFixed(reader.OptionalText(), reader.Byte() == 0 ? (ReadOnlyMemory<byte>?)null : reader.Bytes(), reader.Text()),
            EventKind.ApprovalVoted => new KernelEvent.ApprovalVoted(reader.Byte() == 1, reader.Text(), reader.Text(), reader.OptionalText()),
            EventKind.GoalPaused => new KernelEvent.GoalPaused(reader.Text(), reader.OptionalText()),
            EventKind.GoalResumed => new KernelEvent.GoalResumed(reader.Text()),
            _ => throw new InvalidDataException($"An entry is of the unknown kind {(short)kind}. Run a newer build."),
        };
    }

    private static KernelEvent.TaskAdded ReadTaskAdded(ref FieldReader reader, short version)
    {
        var added = new KernelEvent.TaskAdded(reader.Spec(), reader.Dependencies());
        return version == WithoutExtras ? added : added with { Spec = added.Spec with { Extras = ExtrasCodec.DecodeTask(reader.Span()) } };
    }
}
