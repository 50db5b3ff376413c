namespace Astra.Kernel.Actors;

/// <summary>
/// The operator's hands: looks at actors, restarts and stops them by path. It sees figures and failures, never what a
/// message holds.
/// </summary>
public sealed class ActorOperator
{
    private readonly ActorSystem _system;
    private readonly ActorInspector _inspector;

    internal ActorOperator(ActorSystem system) => (_system, _inspector) = (system, new ActorInspector(system.RootCell, system.Clock));

    /// <summary>Told of every command that was accepted: the path, what was asked, and by whom.</summary>
    internal Action<string, string, string>? Commanded { get; set; }

    public Answer<ActorBranch> Look(ActorQuery query) => _inspector.Look(query) is { } branch ? branch : Unknown(query.Under);

    /// <summary>Counts every actor of the node.</summary>
    /// <param name="listedMax">How many of the deepest and of the busiest to name.</param>
    public ActorCensus Count(int listedMax = 0) => _inspector.Count(listedMax);

    /// <summary>
    /// A new incarnation with the same mailbox. It is no failure: neither the directive nor the restart intensity of the
    /// supervisor has a say, but its strategy has, because siblings that rely on this actor would otherwise rely on what is
    /// gone. A handler in progress is not waited for; its message becomes a dead letter.
    /// </summary>
    /// <returns>The actor as it was when the command was accepted.</returns>
    public Answer<ActorBranch> Restart(string path, string by)
    {
        if (_inspector.Find(path) is not { } cell)
            return Unknown(path);
        // The root's children rely on those before them, so that the oldest takes all of them along.
        var target = cell.Parent is null ? cell.Supervisor.Children().FirstOrDefault() : cell;
        if (target?.Parent is not { } parent || Ending(target) is { })
            return Ending(cell) ?? new Refusal(RefusalKind.Conflict, "There is nothing to restart: the node has no actors.");
        parent.Tell(new RestartRequested(target, new RestartRequestedException(by)));
        return Accepted(cell, "restart", by);
    }

    /// <summary>Its current message is finished; those waiting become dead letters.</summary>
    public Answer<ActorBranch> Stop(string path, string by)
    {
        if (_inspector.Find(path) is not { } cell)
            return Unknown(path);
        if (cell.Parent is null)
            return new Refusal(RefusalKind.Conflict, "The root is the node itself: stop the server instead.");
        if (cell.Options.StopRefusal is { } why)
            return new Refusal(RefusalKind.Conflict, $"{cell.Path} cannot be stopped: {why}");
        if (Ending(cell) is { } ending)
            return ending;
        cell.Tell(new StopCommand());
        return Accepted(cell, "stop", by);
    }

    private Answer<ActorBranch> Accepted(ActorCell cell, string verb, string by)
    {
        Commanded?.Invoke(cell.ToString(), verb, by);
        return _inspector.Look(new ActorQuery(cell.ToString(), Depth: 0)) is { } branch ? branch : Unknown(cell.ToString());
    }

    private static Refusal? Ending(ActorCell cell) => cell.State is ActorState.Stopping or ActorState.Stopped
        ? new Refusal(RefusalKind.Conflict, $"{cell} is {cell.State.ToString().ToLowerInvariant()} already.")
        : null;

    private static Refusal Unknown(string path) =>
        new(RefusalKind.NotFound, $"There is no actor {path} on this node; paths begin with / and have the names from the root down.");
}

/// <summary>Why an actor is restarted when nothing has failed.</summary>
public sealed class RestartRequestedException(string by) : Exception($"{by} asked for a restart.");
