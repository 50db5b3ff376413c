namespace Astra.Sdk;

/// <summary>
/// What people write. A goal given to an agent runs in three moves: <see cref="PlanAsync"/> turns the goal into
/// steps, <see cref="ExecuteAsync"/> runs one step, <see cref="ReflectAsync"/> looks at how the steps ended and says
/// what the goal's result is, or adds steps.
/// </summary>
/// <remarks>
/// Every move may run more than once (a worker can die after doing the work and before saying so), on any worker, at
/// the same time as other steps of the same goal. Keep state in step inputs and outputs, not in fields. Time, ids and
/// randomness come from the turn, so that a goal can be replayed.
/// </remarks>
public abstract class Agent
{
    /// <summary>The class: lower-case letters, digits and dashes. An agent of this name is registered with it, and any
    /// number of others may be created of this class.</summary>
    public abstract string Name { get; }

    public virtual string Description => "";

    /// <summary>Methods of the agent's own that its turns call by name, like any other tool.</summary>
    public virtual IReadOnlyCollection<MethodTool> Tools => [];

    public abstract ValueTask<Plan> PlanAsync(PlanningTurn turn, CancellationToken cancellationToken);

    public abstract ValueTask<StepResult> ExecuteAsync(StepTurn turn, CancellationToken cancellationToken);

    /// <summary>Runs when every step has ended, dead ones included. By default the result is what the last steps gave.</summary>
    public virtual ValueTask<StepResult> ReflectAsync(ReflectionTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        var outputs = turn.Steps.Values.Where(step => step.State == StepState.Completed).ToList();
        return ValueTask.FromResult(outputs.Count == 1
            ? StepResult.Done(outputs[0].Output)
            : StepResult.Done(outputs.ToDictionary(step => step.Name, step => step.Output)));
    }

    /// <summary>Somebody sent the agent a message and waits for the answer. One at a time for each agent of this class, in
    /// order; at most once. By default no message is taken.</summary>
    /// <returns>The answer: anything that serialises to JSON, at most 256 KiB.</returns>
    /// <exception cref="MessageRefusedException">The message is none that the agent takes; the agent is well. Any other
    /// exception is a failure of the agent, and it is started anew with the state it had.</exception>
    public virtual ValueTask<object?> ReceiveAsync(MessageTurn turn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        throw new MessageRefusedException($"Agent {turn.Agent} takes no messages.");
    }
}
