using Astra.Sdk;

namespace Counter;

/// <summary>What a counter remembers: saved before anybody hears of a new count, and there again after a crash.</summary>
public sealed class Tally
{
    public long Count { get; set; }
}

/// <summary>Takes <c>{"add": 2}</c>, or anything without an "add" to be asked for the count. Any number of agents may be of this class.</summary>
public sealed class CounterAgent : Agent<Tally>
{
    public override string Name => "counter";

    public override string Description => "Adds up what it is sent.";

    protected override ValueTask<object?> ReceiveAsync(MessageTurn turn, Tally state, CancellationToken cancellationToken)
    {
        var amount = turn.MessageAs<Command>().Add;
        if (amount < 0)
            throw new MessageRefusedException($"A counter only goes up, and {amount} is below zero.");
        state.Count += amount;
        return ValueTask.FromResult<object?>(new { agent = turn.Agent, state.Count });
    }

    private sealed record Command(long Add = 0);
}
