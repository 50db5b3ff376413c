namespace Astra.Kernel.Actors;

/// <summary>The limits and policies of an <see cref="ActorSystem"/>.</summary>
public sealed record ActorSystemOptions
{
    // Long enough that queueing an actor costs less than running it, short enough that a busy actor delays its
    // neighbours by well under a millisecond.
    public int MessagesPerTurn { get; init; } = 64;

    /// <summary>How many dead letters are kept for an operator. All are counted.</summary>
    public int DeadLettersKeptMax { get; init; } = 256;

    /// <summary>
    /// For the actors at the top. What they escalate stops them and is told as <see cref="NodeFailed"/>.
    /// </summary>
    public SupervisionPolicy TopLevel { get; init; } = SupervisionPolicy.Default;

    /// <summary>How long <see cref="ActorSystem.DisposeAsync"/> waits before it abandons who does not stop.</summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// More handlers than this that hold a thread although their incarnation is over are told as
    /// <see cref="NodeFailed"/>.
    /// </summary>
    // The pool makes up for a stuck thread only after half a second or so, and each one that spins takes its share of
    // the cores from everybody else, for ever. Sixteen on a small machine leave the living about a tenth of it.
    public int LostThreadsMax { get; init; } = 16;

    /// <summary>
    /// The same for all handlers that do not come back, those included that merely await and hold no thread.
    /// </summary>
    // Each keeps its incarnation, its message and all that it awaits: some ten kilobytes, a hundred megabytes together.
    // A large subtree that is torn down in the middle of its calls stays below it, and its handlers do come back.
    public int LostHandlersMax { get; init; } = 10_000;

    /// <summary>
    /// Told what happens to the actors, on the turn in which it happens; must be quick and must not throw. What it
    /// throws all the same is counted and changes nothing.
    /// </summary>
    public Action<LifecycleEvent>? Observe { get; init; }

    /// <summary>
    /// Why an operator must not stop the actor of this path, as the end of a sentence; null lets it be stopped. Asked here
    /// and not of each actor, which would cost a million of them eight bytes each.
    /// </summary>
    public Func<string, string?>? StopRefusal { get; init; }
}

/// <summary>A tree of actors on one dispatcher, and the only way to make its first ones.</summary>
public sealed class ActorSystem : IAsyncDisposable
{
    // Whoever ignores the deadline is abandoned; those who only waited for it get this share of it for their own
    // farewells, level by level.
    private const int GraceShare = 8;

    private readonly ActorCell _root;
    private readonly TaskCompletionSource<StopReport> _stopped =
        new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _abandoned = [];
    private int _stopRequests;
    private readonly LostHandlers _lost;
    private long _observerFailureCount;
    private volatile Exception? _lastObserverFailure;
    private volatile bool _hasRevocations;

    public ActorSystem(
        IDispatcher dispatcher, IClock clock, IRandomness randomness, ActorSystemOptions? options = null)
    {
        Dispatcher = dispatcher;
        Metronome = dispatcher.Metronome;
        Clock = clock;
        Randomness = randomness;
        Options = options ?? new ActorSystemOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.MessagesPerTurn, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Options.DeadLettersKeptMax);
        ArgumentOutOfRangeException.ThrowIfNegative(Options.LostThreadsMax);
        ArgumentOutOfRangeException.ThrowIfNegative(Options.LostHandlersMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.StopDeadline, TimeSpan.Zero);
        DeadLetters = new DeadLetterOffice(clock, Options.DeadLettersKeptMax, ObserverFailed);
        Watchdog = new Watchdog(this);
        _lost = new LostHandlers(this);
        AskDeadlines = new AskDeadlines(this);
        IdleRings = new IdleRings(this);
        var root = new ActorOptions { Name = "root", Create = () => new Root(), Children = Options.TopLevel };
        _root = new ActorCell(this, parent: null, root, spawnNumber: 0);
        Operator = new ActorOperator(this);
        _root.StartFirst();
    }

    public DeadLetterOffice DeadLetters { get; }

    /// <summary>
    /// Handlers whose incarnation was revoked and that have not come back: threads or awaits lost for now.
    /// </summary>
    public long LostHandlerCount => _lost.HandlerCount;

    /// <summary>Those of them that hold a thread.</summary>
    public long LostThreadCount => _lost.ThreadCount;

    /// <summary>
    /// How often <see cref="ActorSystemOptions.Observe"/> or a subscriber of <see cref="DeadLetters"/> threw, against
    /// its promise; and what, the last time.
    /// </summary>
    public long ObserverFailureCount => Volatile.Read(ref _observerFailureCount);

    public Exception? LastObserverFailure => _lastObserverFailure;

    /// <summary>For operators: to look, to restart and to stop by path.</summary>
    public ActorOperator Operator { get; }

    internal ActorCell RootCell => _root;

    internal ActorSystemOptions Options { get; }

    internal IDispatcher Dispatcher { get; }

    internal Metronome Metronome { get; }

    internal IClock Clock { get; }

    internal IRandomness Randomness { get; }

    internal Watchdog Watchdog { get; }

    internal AskDeadlines AskDeadlines { get; }

    internal IdleRings IdleRings { get; }

    internal LostHandlers Lost => _lost;

    /// <summary>Spares the event where nobody listens.</summary>
    internal bool IsObserved => Options.Observe is not null;

    internal bool IsStopping => Volatile.Read(ref _stopRequests) != 0;

    /// <summary>Starts an actor at the top of the tree.</summary>
    /// <exception cref="ActorStoppedException">The system is stopping.</exception>
    /// <exception cref="ActorNameTakenException">Another actor at the top has that name.</exception>
    public ActorRef Spawn(ActorOptions options) => _root.SpawnChild(options, by: null);

    /// <summary>Asks an actor to stop. Its current message is finished; those waiting become dead letters.</summary>
    public void Stop(ActorRef actor) => (actor as ActorCell)?.RequestStop();

    /// <summary>The whole tree, oldest siblings first.</summary>
    public ActorSnapshot Inspect() => _root.Snapshot();

    /// <summary>
    /// Stops every actor, children before parents. A handler is not cut off but waited for, until the deadline; who
    /// has not come back then is abandoned and reported.
    /// </summary>
    public ValueTask<StopReport> StopAsync(TimeSpan deadline)
    {
        if (Interlocked.Exchange(ref _stopRequests, 1) == 0)
        {
            _root.Tell(new StopCommand());
            var grace = deadline / GraceShare;
            Dispatcher.Schedule(deadline, () => AbandonWhoHangs(grace));
        }

        return new ValueTask<StopReport>(_stopped.Task);
    }

    public async ValueTask DisposeAsync() => await StopAsync(Options.StopDeadline);

    // Only those without living children are at fault; the others wait for them, and may still stop in good order.
    private void AbandonWhoHangs(TimeSpan grace)
    {
        if (_stopped.Task.IsCompleted)
            return;
        AbandonLeaves(_root);
        Dispatcher.Schedule(grace, () => AbandonWhoHangs(grace));
    }

    private void AbandonLeaves(ActorCell cell)
    {
        var children = cell.Supervisor.Children();
        foreach (var child in children)
            AbandonLeaves(child);
        if (children.Count > 0 || cell.Parent is not { } parent)
            return;

        // Its thread may be stuck, and then it never obeys. The parent need not wait for that.
        cell.Forsake();
        parent.Tell(new ChildStopped(cell));
    }

    internal void Abandoned(ActorCell cell)
    {
        if (IsStopping)
        {
            lock (_abandoned)
                _abandoned.Add(cell.Path);
        }

        Publish(new ActorAbandoned(cell));
    }

    // It is called between any two steps of a turn, and none of them may be left half done for its sake.
    internal void Publish(LifecycleEvent happened)
    {
        try
        {
            Options.Observe?.Invoke(happened);
        }
        catch (Exception failure)
        {
            ObserverFailed(failure);
        }
    }

    private void ObserverFailed(Exception failure)
    {
        _lastObserverFailure = failure;
        Interlocked.Increment(ref _observerFailureCount);
    }

    internal void RootIsGone()
    {
        lock (_abandoned)
            _stopped.TrySetResult(new StopReport([.. _abandoned]));
    }

    internal void IncarnationRevoked()
    {
        // Every send reads it: written once, it stays in everybody's cache.
        if (!_hasRevocations)
            _hasRevocations = true;
    }

    /// <summary>
    /// True when this thread runs what is left of a revoked incarnation; the message then ends in the dead-letter
    /// office. Free as long as nothing was ever revoked.
    /// </summary>
    internal bool SenderIsRevoked(ActorRef recipient, object message, ActorRef? sender)
    {
        if (!_hasRevocations || SynchronizationContext.Current is not Incarnation { IsRevoked: true })
            return false;
        DeadLetters.Receive(message, sender, recipient, DeadLetterReason.SenderRevoked);
        return true;
    }

    private sealed class Root : Actor
    {
        protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }
}

/// <summary>How a shutdown went.</summary>
/// <param name="Abandoned">The paths of the actors that did not stop in time.</param>
public sealed record StopReport(IReadOnlyList<string> Abandoned);
