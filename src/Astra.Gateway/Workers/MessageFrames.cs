using System.Collections.Concurrent;
using Astra.Agents;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>The messages that one remote worker has in hand. When its connection goes, the kernel ends them.</summary>
internal sealed class MessageFrames(FrameSocket<WorkerFrame, ServerFrame> socket)
{
    private readonly ConcurrentDictionary<Guid, MessageCall> _calls = new();

    /// <param name="welcomed">The welcome is the first frame that a worker hears.</param>
    public void Deliver(MessageCall call, Task welcomed)
    {
        _calls[call.Id] = call;
        // Parsing payloads is not for a turn of the kernel.
        _ = Task.Run(async () =>
        {
            await welcomed;
            if (!socket.TrySend(WorkMapping.ToWire(call)))
                End(call.Id, new MessageOutcome.Lost("its worker does not read what it is sent"));
        });
    }

    public void Cancel(MessageCall call, string reason)
    {
        if (_calls.TryRemove(call.Id, out _))
            socket.TrySend(new ServerFrame.CancelMessage(call.Id, reason));
    }

    /// <summary>True when the frame was about a message. An answer that nobody waits for any more is late, and ignored.</summary>
    public bool Take(WorkerFrame frame)
    {
        switch (frame)
        {
            case WorkerFrame.MessageDone done:
                End(done.CallId, WorkMapping.ToKernel(new MessageResult.Done(done.Reply ?? AstraJson.ToElement(null), done.State)));
                return true;
            case WorkerFrame.MessageFailed { Refused: true } refused:
                End(refused.CallId, new MessageOutcome.Refused(Sentence(refused.Reason)));
                return true;
            case WorkerFrame.MessageFailed failed:
                End(failed.CallId, new MessageOutcome.Failed(Sentence(failed.Reason)));
                return true;
            default:
                return false;
        }
    }

    private void End(Guid id, MessageOutcome outcome)
    {
        if (_calls.TryRemove(id, out var call))
            call.End(outcome);
    }

    private static string Sentence(string reason) => Words.Clean(reason) is { Length: > 0 } said ? said : "The worker gave no reason.";
}
