namespace Astra.Kernel.Actors;

/// <summary>
/// The closed set of what the actor runtime tells about itself. Handed to <see cref="ActorSystemOptions.Observe"/>.
/// </summary>
public abstract record LifecycleEvent
{
    private protected LifecycleEvent(ActorRef actor) => Actor = actor;

    public ActorRef Actor { get; }
}

/// <summary>An incarnation is ready; number 1 is the first.</summary>
public sealed record ActorStarted(ActorRef Actor, int Incarnation) : LifecycleEvent(Actor);

/// <summary>An incarnation failed, in a handler or in a hook (then there is no message).</summary>
public sealed record ActorFailed(ActorRef Actor, Exception Why, object? Message) : LifecycleEvent(Actor);

/// <summary>A supervisor decided on a failure; a restart happens after the delay.</summary>
public sealed record FailureDecided(ActorRef Actor, Exception Why, Directive Directive, TimeSpan Delay)
    : LifecycleEvent(Actor);

/// <summary>
/// This node is unfit and its host should end the process: an escalation reached the root (then the actor is stopped),
/// or more handlers than the limit did not come back (then it is the last of them, and this is told once).
/// </summary>
public sealed record NodeFailed(ActorRef Actor, Exception Why) : LifecycleEvent(Actor);

/// <summary>The actor is gone. Its last failure is kept even when the stop was asked for: a child that crashes while
/// stopping has lost work, and an operator looking for it will find nothing else.</summary>
public sealed record ActorStopped(ActorRef Actor, Exception? LastFailure) : LifecycleEvent(Actor);

/// <summary>A stop, a restart or the shutdown gave up waiting for this actor's handler.</summary>
public sealed record ActorAbandoned(ActorRef Actor) : LifecycleEvent(Actor);
