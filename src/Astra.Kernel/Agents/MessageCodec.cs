using Astra.Kernel.Journal;
using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>
/// The binary form of <see cref="MessageQuestion"/> and its answers, beside that of <see cref="BusCodec"/>, whose version
/// and refusals it shares. It is on no disk.
/// </summary>
internal static class MessageCodec
{
    private enum QuestionKind : byte
    {
        Find = 100,
        Run = 101,
        Cancel = 102,
    }

    private enum AnswerKind : byte
    {
        Offers = 100,
        Ended = 101,
    }

    private enum OutcomeKind : byte
    {
        Done = 1,
        DoneWithState = 2,
        Refused = 3,
        Failed = 4,
        Lost = 5,
        Unfit = 6,
    }

    public static bool IsMessageQuestion(ReadOnlySpan<byte> question) => question is [BusCodec.Version, >= (byte)QuestionKind.Find and <= (byte)QuestionKind.Cancel, ..];

    public static byte[] Encode(MessageQuestion question)
    {
        var writer = new FieldWriter();
        writer.Byte(BusCodec.Version);
        switch (question)
        {
            case MessageQuestion.Find find:
                writer.Byte((byte)QuestionKind.Find);
                writer.Id(find.Tenant.Value);
                writer.Text(find.Class);
                break;
            case MessageQuestion.Run { Call: var call }:
                writer.Byte((byte)QuestionKind.Run);
                writer.Id(call.Id);
                writer.Id(call.Tenant.Value);
                writer.Text(call.Agent);
                writer.Text(call.Class);
                writer.Bytes(call.Message.Span);
                writer.Bytes(call.State.Span);
                writer.Int64(call.StateVersion);
                writer.Int64(call.Epoch.Value);
                writer.Int64(call.Deadline.Ticks);
                break;
            case MessageQuestion.Cancel cancel:
                writer.Byte((byte)QuestionKind.Cancel);
                writer.Id(cancel.Call);
                writer.Text(cancel.Reason);
                break;
        }
        return writer.End();
    }

    /// <exception cref="InvalidDataException">The bytes are damaged.</exception>
    public static MessageQuestion DecodeQuestion(ReadOnlySpan<byte> data)
    {
        var reader = new FieldReader(data[1..]);
        return (QuestionKind)reader.Byte() switch
        {
            QuestionKind.Find => new MessageQuestion.Find(new TenantId(reader.Id()), reader.Text()),
            QuestionKind.Run => new MessageQuestion.Run(new MessageCall
            {
                Id = reader.Id(), Tenant = new TenantId(reader.Id()), Agent = reader.Text(), Class = reader.Text(),
                Message = reader.Bytes(), State = reader.Bytes(), StateVersion = reader.Int64(), Epoch = new Epoch(reader.Int64()), Deadline = reader.Duration(),
            }),
            QuestionKind.Cancel => new MessageQuestion.Cancel(reader.Id(), reader.Text()),
            var kind => throw new InvalidDataException($"A question is of the unknown kind {(byte)kind}."),
        };
    }

    /// <param name="answer">A <see cref="MessageAnswer"/> or a <see cref="Refusal"/>.</param>
    public static byte[] EncodeAnswer(object answer)
    {
        if (answer is Refusal)
            return BusCodec.EncodeAnswer(answer);
        var writer = new FieldWriter();
        writer.Byte(BusCodec.Version);
        switch (answer)
        {
            case MessageAnswer.Offers offers:
                writer.Byte((byte)AnswerKind.Offers);
                writer.Byte(offers.IsOffered ? (byte)1 : (byte)0);
                break;
            case MessageAnswer.Ended ended:
                writer.Byte((byte)AnswerKind.Ended);
                Write(writer, ended.Outcome);
                break;
            default:
                throw new InvalidOperationException($"{answer.GetType().Name} does not travel between nodes.");
        }
        return writer.End();
    }

    /// <exception cref="InvalidDataException">The bytes are damaged, or of another version.</exception>
    public static object DecodeAnswer(ReadOnlySpan<byte> data)
    {
        if (data is not [BusCodec.Version, >= (byte)AnswerKind.Offers, ..])
            return BusCodec.DecodeAnswer(data);
        var reader = new FieldReader(data[1..]);
        return (AnswerKind)reader.Byte() switch
        {
            AnswerKind.Offers => new MessageAnswer.Offers(reader.Byte() != 0),
            AnswerKind.Ended => new MessageAnswer.Ended(Outcome(ref reader)),
            var kind => throw new InvalidDataException($"An answer is of the unknown kind {(byte)kind}."),
        };
    }

    private static void Write(FieldWriter writer, MessageOutcome outcome)
    {
        switch (outcome)
        {
            case MessageOutcome.Done { State: { } state } done:
                writer.Byte((byte)OutcomeKind.DoneWithState);
                writer.Bytes(done.Reply.Span);
                writer.Bytes(state.Span);
                break;
            case MessageOutcome.Done done:
                writer.Byte((byte)OutcomeKind.Done);
                writer.Bytes(done.Reply.Span);
                break;
            case MessageOutcome.Refused refused:
                writer.Byte((byte)OutcomeKind.Refused);
                writer.Text(refused.Reason);
                break;
            case MessageOutcome.Failed failed:
                writer.Byte((byte)OutcomeKind.Failed);
                writer.Text(failed.Reason);
                break;
            case MessageOutcome.Unfit unfit:
                writer.Byte((byte)OutcomeKind.Unfit);
                writer.Text(unfit.Reason);
                break;
            case MessageOutcome.Lost lost:
                writer.Byte((byte)OutcomeKind.Lost);
                writer.Text(lost.Reason);
                break;
        }
    }

    private static MessageOutcome Outcome(ref FieldReader reader) => (OutcomeKind)reader.Byte() switch
    {
        OutcomeKind.Done => new MessageOutcome.Done(reader.Bytes(), State: null),
        OutcomeKind.DoneWithState => new MessageOutcome.Done(reader.Bytes(), reader.Bytes()),
        OutcomeKind.Refused => new MessageOutcome.Refused(reader.Text()),
        OutcomeKind.Failed => new MessageOutcome.Failed(reader.Text()),
        OutcomeKind.Unfit => new MessageOutcome.Unfit(reader.Text()),
        OutcomeKind.Lost => new MessageOutcome.Lost(reader.Text()),
        var kind => throw new InvalidDataException($"A message ended in the unknown way {(byte)kind}."),
    };
}
