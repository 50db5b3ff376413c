using System.Globalization;
using System.Text;
using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Tests.Agents;

/// <summary>
/// A worker whose agents count: each message adds one to the state and is answered with the count. `fail` throws, `no`
/// is refused, `?` is answered without a change, and what begins with `wait` waits for the test.
/// </summary>
internal sealed class AgentWorker : IMessageWorker
{
    private readonly TestNode _node;

    public AgentWorker(TestNode node, string label = "agent:counter", TenantId? tenant = null)
    {
        _node = node;
        Link = node.Kernel.Connect(new WorkerOffer("worker", tenant, [label], Slots: 1, TakesMessages: true), this);
    }

    public WorkerLink Link { get; }

    /// <summary>Agent and message, in the order in which they came.</summary>
    public List<string> Seen { get; } = [];

    public List<MessageCall> Held { get; } = [];

    public List<string> Cancelled { get; } = [];

    /// <summary>The most messages of one agent that were in hand at once.</summary>
    public int AtOncePerAgentMax { get; private set; }

    private readonly Dictionary<string, int> _inHand = [];

    public void Deliver(MessageCall call)
    {
        var text = Encoding.UTF8.GetString(call.Message.Span);
        Seen.Add($"{call.Agent} {text}");
        _inHand[call.Agent] = _inHand.GetValueOrDefault(call.Agent) + 1;
        AtOncePerAgentMax = int.Max(AtOncePerAgentMax, _inHand[call.Agent]);
        if (text.StartsWith("wait", StringComparison.Ordinal))
            Held.Add(call);
        else
            _node.Process.Post(() => Answer(call, text));
    }

    public void Cancel(MessageCall call, string reason) => Cancelled.Add($"{call.Agent} {reason}");

    /// <summary>What it held is answered like any other message.</summary>
    public void Release()
    {
        foreach (var call in Held.ToArray())
            _node.Process.Post(() => Answer(call, "wait"));
        Held.Clear();
        _node.Process.RunUntilQuiet();
    }

    public void Disconnect() => _node.Do(async _ =>
    {
        await Link.DisposeAsync();
        return true;
    });

    public void Assign(Assignment assignment) => throw new InvalidOperationException("There are no tasks here.");

    public void Revoke(TaskId task, int attempt, string reason) => throw new InvalidOperationException("There are no tasks here.");

    private void Answer(MessageCall call, string text)
    {
        _inHand[call.Agent]--;
        var count = call.State.IsEmpty ? 0 : int.Parse(Encoding.UTF8.GetString(call.State.Span), CultureInfo.InvariantCulture);
        call.End(text switch
        {
            "fail" => new MessageOutcome.Failed("it cannot count."),
            "no" => new MessageOutcome.Refused("It does not take that."),
            "?" => new MessageOutcome.Done(Bytes(count), State: null),
            "large" => new MessageOutcome.Done(Bytes(count), new byte[1_000_000]),
            _ => new MessageOutcome.Done(Bytes(count + 1), Bytes(count + 1)),
        });
    }

    private static byte[] Bytes(int number) => Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture));
}
