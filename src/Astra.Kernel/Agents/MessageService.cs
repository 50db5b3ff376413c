using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Agents;

/// <summary>What the owners of agents on other nodes ask of the workers of this one. Each call is taken once.</summary>
internal sealed class MessageService(MessageDesk desk, IDispatcher dispatcher, IClock clock)
{
    // Longer than a question may be on its way: what is asked again by then has been forgotten by everybody.
    private static readonly TimeSpan MemoryMin = TimeSpan.FromMinutes(3);

    private static readonly MessageAnswer.Ended SeenBefore = new(new MessageOutcome.Lost("it was taken or called off before"));

    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, MessageCall> _inHand = [];

    // Two generations, so that forgetting is dropping a set.
    private HashSet<Guid> _taken = [];
    private HashSet<Guid> _takenBefore = [];
    private TimeSpan _turnedAt;

    public ValueTask<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> question)
    {
        // A turn of this node, whoever's thread brought the question: it lives and dies with this node.
        var answering = new Answering(this, question);
        dispatcher.Post(answering);
        return new ValueTask<ReadOnlyMemory<byte>>(answering.Answer);
    }

    private async ValueTask<object> AnswerAsync(MessageQuestion question)
    {
        switch (question)
        {
            case MessageQuestion.Find find:
                return new MessageAnswer.Offers(desk.IsOffered(find.Tenant, find.Class));
            case MessageQuestion.Run { Call: var call }:
                if (!TryTake(call.Id, call))
                    return SeenBefore;
                var ran = await desk.RunAsync(call, CancellationToken.None);
                Leave(call.Id, wasSeen: ran.IsOk);
                return ran.Refusal is { } refusal ? refusal : new MessageAnswer.Ended(ran.Value);
            case MessageQuestion.Cancel cancel:
                MessageCall? inHand;
                lock (_gate)
                    _inHand.TryGetValue(cancel.Call, out inHand);
                if (inHand is null)
                    TryTake(cancel.Call, call: null);
                inHand?.End(new MessageOutcome.Lost(cancel.Reason));
                return new MessageAnswer.Offers(false);
            default:
                throw new InvalidOperationException($"{question.GetType().Name} is not answered.");
        }
    }

    private bool TryTake(Guid id, MessageCall? call)
    {
        lock (_gate)
        {
            if (clock.Elapsed - _turnedAt >= MemoryMin)
                (_takenBefore, _taken, _turnedAt) = (_taken, [], clock.Elapsed);
            if (_takenBefore.Contains(id) || !_taken.Add(id))
                return false;
            if (call is not null)
                _inHand[id] = call;
            return true;
        }
    }

    /// <param name="wasSeen">False: whoever asked may ask again.</param>
    private void Leave(Guid id, bool wasSeen)
    {
        lock (_gate)
        {
            _inHand.Remove(id);
            if (!wasSeen)
                _taken.Remove(id);
        }
    }

    private sealed class Answering(MessageService service, ReadOnlyMemory<byte> question) : IThreadPoolWorkItem
    {
        private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<ReadOnlyMemory<byte>> Answer => _answer.Task;

        public void Execute() => _ = AnswerAsync();

        private async Task AnswerAsync()
        {
            try
            {
                _answer.SetResult(MessageCodec.EncodeAnswer(await service.AnswerAsync(MessageCodec.DecodeQuestion(question.Span))));
            }
            catch (InvalidDataException e)
            {
                _answer.SetResult(BusCodec.EncodeAnswer(new Refusal(RefusalKind.Unavailable, $"The question was not understood: {e.Message}", TimeSpan.FromMilliseconds(500))));
            }
            catch (Exception e)
            {
                _answer.SetException(e);
            }
        }
    }
}
