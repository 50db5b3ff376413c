using Astra.Kernel.Effects;
using Astra.Kernel.Controls;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>
/// The binary form of what nodes ask each other. It is on no disk: nodes of two versions that do not understand each other
/// refuse, which is a lost message like any other.
/// </summary>
internal static class BusCodec
{
    public const byte Version = 2;

    private enum QuestionKind : byte
    {
        Completed = 1,
        Failed = 2,
        Lost = 3,
        RenewLeases = 4,
        Suspended = 5,
        Released = 40,
        Intended = 41,
        Settled = 42,
        ReadControls = 43,
        LookAtLeases = 44,
        SeeGoals = 50,
        GoalsEnded = 51,
        Delegated = 52,
    }

    private enum AnswerKind : byte
    {
        TaskState = 1,
        LostLeases = 2,
        Refusal = 3,
        GoalsSeen = 50,
    }

    /// <param name="question">A <see cref="WorkerReport"/>, a <see cref="RenewLeases"/>, a <see cref="ReadControls"/> or a <see cref="LookAtLeases"/>.</param>
    public static byte[] EncodeQuestion(object question)
    {
        var writer = new FieldWriter();
        writer.Byte(Version);
        switch (question)
        {
            case WorkerReport.Completed completed:
                writer.Report(QuestionKind.Completed, completed);
                writer.Bytes(completed.Output.Span);
                writer.Edits(completed.Edits);
                writer.OptionalText(completed.Outcome);
                break;
            case WorkerReport.Suspended suspended:
                writer.Report(QuestionKind.Suspended, suspended);
                writer.Named(suspended.After);
                writer.Edits(suspended.Edits);
                break;
            case WorkerReport.Failed failed:
                writer.Report(QuestionKind.Failed, failed);
                writer.Failure(failed.Failure);
                break;
            case WorkerReport.Lost lost:
                writer.Report(QuestionKind.Lost, lost);
                writer.Text(lost.Reason);
                break;
            case WorkerReport.Released released:
                writer.Report(QuestionKind.Released, released);
                writer.Text(released.Reason);
                break;
            case WorkerReport.Intended intended:
                writer.Report(QuestionKind.Intended, intended);
                writer.Text(intended.What);
                break;
            case WorkerReport.Settled settled:
                writer.Report(QuestionKind.Settled, settled);
                writer.Byte((byte)settled.Outcome);
                writer.Bytes(settled.Output.Span);
                break;
            case RenewLeases renew:
                writer.Byte((byte)QuestionKind.RenewLeases);
                writer.Id(renew.Worker.Value);
                writer.Attempts(renew.Attempts);
                break;
            case WorkerReport.Delegated delegated:
                writer.Report(QuestionKind.Delegated, delegated);
                writer.Text(delegated.Name);
                writer.Request(delegated.Goods);
                writer.Edits(delegated.Goods.Plan);
                break;
            case SeeGoals see:
                writer.Byte((byte)QuestionKind.SeeGoals);
                writer.Goals(see.Goals);
                writer.Int32(see.By?.Value ?? -1);
                break;
            case GoalsEnded ended:
                writer.Byte((byte)QuestionKind.GoalsEnded);
                writer.Int32(ended.Shard.Value);
                writer.Standings(ended.Standings);
                break;
            case ReadControls:
                writer.Byte((byte)QuestionKind.ReadControls);
                break;
            case LookAtLeases:
                writer.Byte((byte)QuestionKind.LookAtLeases);
                break;
            default:
                throw new InvalidOperationException($"{question.GetType().Name} does not travel between nodes.");
        }
        return writer.End();
    }

    public static object DecodeQuestion(ReadOnlySpan<byte> data)
    {
        var reader = Open(data);
        var kind = (QuestionKind)reader.Byte();
        return kind switch
        {
            QuestionKind.Completed => new WorkerReport.Completed(reader.Attempt(), reader.Worker(), reader.Bytes(), reader.Edits(), reader.OptionalText()),
            QuestionKind.Suspended => new WorkerReport.Suspended(reader.Attempt(), reader.Worker(), reader.Named(), reader.Edits()),
            QuestionKind.Failed => new WorkerReport.Failed(reader.Attempt(), reader.Worker(), reader.Failure()),
            QuestionKind.Lost => new WorkerReport.Lost(reader.Attempt(), reader.Worker(), reader.Text()),
            QuestionKind.Released => new WorkerReport.Released(reader.Attempt(), reader.Worker(), reader.Text()),
            QuestionKind.Intended => new WorkerReport.Intended(reader.Attempt(), reader.Worker(), reader.Text()),
            QuestionKind.Settled => new WorkerReport.Settled(reader.Attempt(), reader.Worker(), (EffectState)reader.Byte(), reader.Bytes()),
            QuestionKind.RenewLeases => new RenewLeases(reader.Worker(), reader.Attempts()),
            QuestionKind.Delegated => new WorkerReport.Delegated(reader.Attempt(), reader.Worker(), reader.Text(), reader.Request() with { Plan = reader.Edits() }),
            QuestionKind.SeeGoals => new SeeGoals(reader.Goals(), reader.Int32() is var by and >= 0 ? new ShardId(by) : null),
            QuestionKind.GoalsEnded => new GoalsEnded(new ShardId(reader.Int32()), reader.Standings()),
            QuestionKind.ReadControls => ReadControls.Instance,
            QuestionKind.LookAtLeases => LookAtLeases.Instance,
            _ => throw new InvalidDataException($"A question is of the unknown kind {(byte)kind}."),
        };
    }

    /// <param name="answer">A <see cref="TaskState"/>, a <see cref="LostLeases"/> or a <see cref="Refusal"/>.</param>
    public static byte[] EncodeAnswer(object answer)
    {
        var writer = new FieldWriter();
        writer.Byte(Version);
        switch (answer)
        {
            case TaskState state:
                writer.Byte((byte)AnswerKind.TaskState);
                writer.Byte((byte)state);
                break;
            case LostLeases lost:
                writer.Byte((byte)AnswerKind.LostLeases);
                writer.Attempts(lost.Attempts);
                break;
            case GoalsSeen seen:
                writer.Byte((byte)AnswerKind.GoalsSeen);
                writer.Standings(seen.Standings);
                break;
            case Refusal refusal:
                writer.Byte((byte)AnswerKind.Refusal);
                writer.Byte((byte)refusal.Kind);
                writer.Text(refusal.Reason);
                writer.Int64(refusal.RetryAfter?.Ticks ?? -1);
                writer.OptionalText(refusal.Address);
                break;
            default:
                throw new InvalidOperationException($"{answer.GetType().Name} does not travel between nodes.");
        }
        return writer.End();
    }

    public static object DecodeAnswer(ReadOnlySpan<byte> data)
    {
        var reader = Open(data);
        var kind = (AnswerKind)reader.Byte();
        return kind switch
        {
            AnswerKind.TaskState => (TaskState)reader.Byte(),
            AnswerKind.LostLeases => new LostLeases(reader.Attempts()),
            AnswerKind.Refusal => new Refusal((RefusalKind)reader.Byte(), reader.Text(), reader.OptionalDuration(), reader.OptionalText()),
            AnswerKind.GoalsSeen => new GoalsSeen(reader.Standings()),
            _ => throw new InvalidDataException($"An answer is of the unknown kind {(byte)kind}."),
        };
    }

    private static FieldReader Open(ReadOnlySpan<byte> data)
    {
        var reader = new FieldReader(data);
        return reader.Byte() is var version && version == Version
            ? reader
            : throw new InvalidDataException($"The other node speaks version {version}, and this one only {Version}.");
    }

    private static void Report(this FieldWriter writer, QuestionKind kind, WorkerReport report)
    {
        writer.Byte((byte)kind);
        writer.Attempt(report.Attempt);
        writer.Id(report.Worker.Value);
    }

    private static void Attempts(this FieldWriter writer, IReadOnlyList<AttemptId> attempts)
    {
        writer.Length(attempts.Count);
        foreach (var attempt in attempts)
            writer.Attempt(attempt);
    }

    private static void Attempt(this FieldWriter writer, AttemptId attempt)
    {
        writer.Id(attempt.Task.Value);
        writer.Int32(attempt.Attempt);
    }

    private static WorkerId Worker(this ref FieldReader reader) => new(reader.Id());

    private static AttemptId Attempt(this ref FieldReader reader) => new(new TaskId(reader.Id()), reader.Int32());

    private static AttemptId[] Attempts(this ref FieldReader reader)
    {
        var attempts = new AttemptId[reader.Count(bytesEachMin: 20)];
        for (var i = 0; i < attempts.Length; i++)
            attempts[i] = reader.Attempt();
        return attempts;
    }

    private static TimeSpan? OptionalDuration(this ref FieldReader reader) => reader.Int64() is var ticks and >= 0 ? TimeSpan.FromTicks(ticks) : null;
}
