using System.Text.Json;

namespace Astra.Sdk;

/// <summary>One message, and the state of the agent that it is for.</summary>
public sealed class MessageTurn(string agent, JsonElement message, JsonElement? state, long stateVersion)
{
    private readonly string? _stateText = state?.GetRawText();
    private JsonElement? _newState;

    /// <summary>Whose turn it is: one of possibly many agents of the class.</summary>
    public string Agent => agent;

    public JsonElement Message => message;

    /// <summary>Counts the changes of the state so far.</summary>
    public long StateVersion => stateVersion;

    /// <summary>The models of the server, paid by the owner of the worker's key, within the agent's budget.</summary>
    public IModelClients Models
    {
        get => field ?? throw new InvalidOperationException("This turn has no models; give it some as Models.");
        init;
    }

    public T MessageAs<T>()
    {
        try
        {
            return AstraJson.Read<T>(message);
        }
        catch (JsonException e)
        {
            throw new MessageRefusedException($"Agent {agent} takes a {typeof(T).Name}, and this is none: {FailureCause.Sentence(e)}");
        }
    }

    /// <summary>As last committed, or as set in this turn; null before the first change.</summary>
    public T? State<T>() where T : class => (_newState ?? state) is { } known ? AstraJson.Read<T>(known) : null;

    /// <summary>Saved before the answer is given, or not at all; at most 256 KiB as JSON. What is equal to the last state is
    /// no change and costs nothing.</summary>
    public void SetState<T>(T value) where T : class
    {
        ArgumentNullException.ThrowIfNull(value);
        _newState = AstraJson.ToElement(value);
    }

    /// <summary>Null: as it was.</summary>
    internal JsonElement? Change => _newState is { } changed && changed.GetRawText() != _stateText ? changed : null;
}

/// <summary>The message is none that the agent takes. The sender is told; the agent is well and its state is as it was.</summary>
public sealed class MessageRefusedException(string reason) : Exception(reason);

/// <summary>
/// An agent that lives by messages and declares its state: the same object before and after each message, durable
/// before anybody hears the answer. It takes no goals unless it says how.
/// </summary>
/// <typeparam name="TState">Serialises to JSON and back. A new one is what an agent starts with.</typeparam>
public abstract class Agent<TState> : Agent
    where TState : class, new()
{
    protected abstract ValueTask<object?> ReceiveAsync(MessageTurn turn, TState state, CancellationToken cancellationToken);

    public sealed override async ValueTask<object?> ReceiveAsync(MessageTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        var state = turn.State<TState>();
        var before = AstraJson.ToElement(state ?? new TState()).GetRawText();
        state ??= new TState();
        var reply = await ReceiveAsync(turn, state, cancellationToken);
        if (AstraJson.ToElement(state).GetRawText() != before)
            turn.SetState(state);
        return reply;
    }

    public override ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken) =>
        throw new PermanentFailureException($"Agents of class {Name} take messages and no goals.");

    public override ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken) =>
        throw new PermanentFailureException($"Agents of class {Name} take messages and no goals.");
}
