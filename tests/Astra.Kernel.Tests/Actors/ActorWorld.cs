using Astra.Kernel.Actors;
using Astra.Testing.Time;

namespace Astra.Kernel.Tests.Actors;

/// <summary>An actor system in virtual time, and the few verbs that the actor tests speak in.</summary>
internal sealed class ActorWorld
{
    private readonly VirtualDispatcher _node;

    public ActorWorld(
        SupervisionPolicy? topLevel = null,
        int messagesPerTurn = 64,
        ulong? seed = null,
        Action<LifecycleEvent>? observe = null,
        Func<string, string?>? stopRefusal = null)
    {
        var dice = new SeededRandomness(seed ?? 1);
        _node = new VirtualWorld(seed is null ? null : dice.Fork()).Node();
        System = new ActorSystem(_node, _node.Clock, dice, new ActorSystemOptions
        {
            TopLevel = topLevel ?? SupervisionPolicy.Default,
            MessagesPerTurn = messagesPerTurn,
            Observe = Events.Add + observe,
            StopRefusal = stopRefusal,
        });
        _node.RunUntilQuiet();
    }

    public ActorSystem System { get; }

    public VirtualDispatcher Node => _node;

    public List<LifecycleEvent> Events { get; } = [];

    public ActorRef Spawn(
        string name,
        Func<object, ActorTurn, ValueTask> receive,
        Func<ActorTurn, ValueTask>? started = null,
        Func<Exception, object?, ActorTurn, ValueTask>? restarting = null,
        Func<ActorTurn, ValueTask>? stopped = null,
        SupervisionPolicy? children = null,
        int capacity = 1024,
        TimeSpan? deadline = null)
    {
        var actor = System.Spawn(Script(name, receive, started, restarting, stopped, children, capacity, deadline));
        _node.RunUntilQuiet();
        return actor;
    }

    public static ActorOptions Script(
        string name,
        Func<object, ActorTurn, ValueTask> receive,
        Func<ActorTurn, ValueTask>? started = null,
        Func<Exception, object?, ActorTurn, ValueTask>? restarting = null,
        Func<ActorTurn, ValueTask>? stopped = null,
        SupervisionPolicy? children = null,
        int capacity = 1024,
        TimeSpan? deadline = null) => new()
        {
            Name = name,
            Create = () => new ScriptedActor(receive, started, restarting, stopped),
            Children = children ?? SupervisionPolicy.Default,
            MailboxCapacityMax = capacity,
            MessageDeadline = deadline,
        };

    /// <summary>Sends and runs until quiet.</summary>
    public SendResult Tell(ActorRef actor, object message)
    {
        var result = actor.TrySend(message);
        _node.RunUntilQuiet();
        return result;
    }

    public void Advance(TimeSpan duration) => _node.Advance(duration);

    public void RunUntilQuiet() => _node.RunUntilQuiet();

    public ActorSnapshot? Find(string path) => Find(System.Inspect(), path);

    private static ActorSnapshot? Find(ActorSnapshot at, string path) =>
        at.Path == path
            ? at
            : at.Children.Select(child => Find(child, path)).FirstOrDefault(found => found is not null);
}

internal sealed class ScriptedActor(
    Func<object, ActorTurn, ValueTask> receive,
    Func<ActorTurn, ValueTask>? started,
    Func<Exception, object?, ActorTurn, ValueTask>? restarting,
    Func<ActorTurn, ValueTask>? stopped) : Actor
{
    protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => receive(message, turn);

    protected override ValueTask StartedAsync(ActorTurn turn) => started?.Invoke(turn) ?? default;

    protected override ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn) =>
        restarting?.Invoke(why, message, turn) ?? default;

    protected override ValueTask StoppedAsync(ActorTurn turn) => stopped?.Invoke(turn) ?? default;
}
