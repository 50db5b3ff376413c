using System.Globalization;

namespace Astra.Kernel.Actors;

/// <summary>
/// What an <see cref="ActorRef"/> points to: the mailbox, and the turn in which it is read. At any moment at most one
/// thread owns the turn, and nothing in this type but the sending side is touched without owning it. The life of the
/// actor (start, failure, restart, stop) is in ActorCell.Life.cs.
/// </summary>
internal sealed partial class ActorCell : ActorRef, IThreadPoolWorkItem
{
    // Publishing a claimed slot takes a few nanoseconds, unless the sender's thread was preempted in between. Then
    // it may take milliseconds, and waiting for it costs more than coming back later.
    private const int PublishSpinsMax = 100;

    private Mailbox _mailbox;
    private SystemLane _lane;
    private SystemMessage? _commands;
    private CellExtras? _extras;

    public ActorCell(ActorSystem system, ActorCell? parent, ActorOptions options, long spawnNumber)
    {
        System = system;
        Parent = parent;
        Options = options;
        SpawnNumber = spawnNumber;
    }

    /// <summary>What most actors never have, made when the first of it is needed, by whichever thread.</summary>
    private CellExtras Extras =>
        Volatile.Read(ref _extras) ?? Interlocked.CompareExchange(ref _extras, new CellExtras(), null) ?? _extras!;

    internal override ActorSystem System { get; }

    internal ActorCell? Parent { get; }

    internal ActorOptions Options { get; }

    /// <summary>Orders siblings by age.</summary>
    internal long SpawnNumber { get; }

    /// <summary>Neighbours among its <see cref="Siblings"/>, which alone touch them.</summary>
    internal ActorCell? Elder { get; set; }

    internal ActorCell? Younger { get; set; }

    internal string Name => Options.Name ?? string.Create(CultureInfo.InvariantCulture, $"${SpawnNumber}");

    public override string Path => Parent is null ? "" : $"{Parent.Path}/{Name}";

    public override int MailboxDepth => _mailbox.Depth;

    public override string ToString() => Parent is null ? "/" : Path;

    public override SendResult TrySend(object message, ActorRef? sender = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (System.SenderIsRevoked(this, message, sender))
            return SendResult.Stopped;
        return Enqueue(message, sender);
    }

    public override ValueTask<SendResult> SendAsync(
        object message, ActorRef? sender = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled<SendResult>(ct);
        if (System.SenderIsRevoked(this, message, sender))
            return new ValueTask<SendResult>(SendResult.Stopped);

        // Those who wait already go first.
        var result = Waiting is not null ? SendResult.Full : Enqueue(message, sender);
        return result == SendResult.Full
            ? WaitForRoom(message, sender, ct).Answer
            : new ValueTask<SendResult>(result);
    }

    /// <summary>For messages that must arrive even if the mailbox is full, in their place in the order.</summary>
    internal void SendWithoutFail(object message, ActorRef? sender)
    {
        if (Waiting is not null || Enqueue(message, sender) == SendResult.Full)
            WaitForRoom(message, sender, CancellationToken.None);
    }

    internal SendResult Enqueue(object message, ActorRef? sender)
    {
        var result = _mailbox.TrySend(message, sender, Options.MailboxCapacityMax, out bool wake);
        if (wake)
            System.Dispatcher.Post(this);
        else if (result == SendResult.Stopped)
            System.DeadLetters.Receive(message, sender, this, DeadLetterReason.ActorStopped);
        return result;
    }

    private WaitingSend WaitForRoom(object message, ActorRef? sender, CancellationToken ct)
    {
        ref var place = ref Extras.Waiting;
        var waiting = place ?? Interlocked.CompareExchange(ref place, new WaitingSends(this), null) ?? place;
        return waiting.Add(message, sender, ct);
    }

    /// <summary>Any thread: a message on the system lane.</summary>
    internal void Tell(SystemMessage message)
    {
        _lane.Push(message);
        if (_mailbox.TryWake())
            System.Dispatcher.Post(this);
    }

    /// <summary>The watchdog has taken the turn from a thread that does not come back, and passes it on.</summary>
    internal void TakeOver(SystemMessage message)
    {
        _lane.Push(message);
        System.Dispatcher.Post(this);
    }

    /// <summary>One turn. Whoever posted this cell to the dispatcher owned the turn and passed it on.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        var before = SynchronizationContext.Current;
        try
        {
            RunTurn();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private void RunTurn()
    {
        int quantum = System.Options.MessagesPerTurn;
        int beats = System.Metronome.Beats;
        int spins = 0;
        while (true)
        {
            // What the runtime wants comes before what senders want.
            if (TryTakeCommand(out var command))
            {
                LeaveIncarnation();
                Obey(command);
                continue;
            }

            if (Pending is null && _dueHook != ActivityKind.None)
            {
                if (!RunHook())
                    return;
                continue;
            }

            if (Pending is null && IsEmptied)
            {
                LeaveIncarnation();
                TakeLeave();
                continue;
            }

            bool isReceptive = _state == ActorState.Running && Pending is null;
            if (isReceptive && quantum > 0)
            {
                int quantumBefore = quantum;
                if (!HandleMessages(ref quantum, beats))
                    return;
                if (!_lane.IsEmpty || Pending is not null || _state != ActorState.Running)
                    continue;
                if (quantum == quantumBefore && !_mailbox.IsDrained && ++spins < PublishSpinsMax)
                    continue;
            }

            if (_mailbox.HasGrown && _extras is not { IsAskedToShrink: true })
                AskToShrinkLater();
            if (isReceptive && !_mailbox.TryGoIdle())
            {
                if (quantum > 0 && spins < PublishSpinsMax)
                    continue;
                // More mail than one turn may read, or a message half written: back to the end of the queue.
                if (Waiting is { } waiting && (System.Metronome.Beats != beats || waiting.AreDue(_mailbox.TakenCount)))
                    waiting.Serve(_mailbox.TakenCount);
                System.Dispatcher.Requeue(this);
                return;
            }

            if (!isReceptive)
                _mailbox.Park();

            // The turn is given up and may be running elsewhere already. A command that was pushed just before has
            // woken nobody, so look once more.
            Waiting?.Serve(_mailbox.TakenCount);
            if (_lane.IsEmpty || !_mailbox.TryWake())
                return;
        }
    }

    private void AskToShrinkLater()
    {
        if (_state == ActorState.Stopped)
            return;
        Extras.IsAskedToShrink = true;
        Extras.TakenCountWhenAsked = _mailbox.TakenCount;
        System.IdleRings.Add(this);
    }

    /// <summary>Some seconds after the ring has grown, and again for as long as it is in use.</summary>
    internal void ShrinkUnlessUsed()
    {
        Extras.IsAskedToShrink = false;
        if (_state != ActorState.Stopped && _mailbox.TakenCount == Extras.TakenCountWhenAsked)
            _mailbox.TryShrink();
    }

    // The runtime's own work, and the policies and observers it calls, must not pass for something that the incarnation
    // does: that may just have been revoked, and what it sends is dropped.
    private void LeaveIncarnation() =>
        SynchronizationContext.SetSynchronizationContext(System.Dispatcher.Continuations);

    private WaitingSends? Waiting =>
        Volatile.Read(ref _extras) is { Waiting: { IsEmpty: false } waiting } ? waiting : null;

    /// <summary>False: the turn was taken away from this thread; return without touching anything.</summary>
    private bool HandleMessages(ref int quantum, int beats)
    {
        var incarnation = _incarnation!;
        bool isGuarded = Options.MessageDeadline is not null;
        bool isTiny = Mailbox.IsTiny(Options.MailboxCapacityMax);
        var metronome = System.Metronome;
        SynchronizationContext.SetSynchronizationContext(incarnation);
        object message = null!;
        ActorRef? sender = null;
        try
        {
            // The lane is looked at before every message; the try stands around the batch, because entering one for
            // each message costs as much as the mailbox does.
            while (quantum > 0 && _lane.IsEmpty && _mailbox.TryTake(out message, out sender))
            {
                quantum--;
                if (isTiny)
                    _mailbox.PublishHead();
                incarnation.CurrentSender = sender;
                if (isGuarded)
                    System.Watchdog.Enter(incarnation, message);
                var handling = incarnation.Actor.ReceiveAsync(message, incarnation);
                if (isGuarded && !incarnation.Guard!.Leave())
                {
                    LeaveLost(incarnation, handling);
                    return false;
                }

                if (!handling.IsCompleted)
                {
                    Await(new Activity(ActivityKind.Receiving, incarnation, message, sender, handling));
                    return true;
                }

                handling.ThrowIfFailed();
                if (sender is ReplyAddress address)
                {
                    incarnation.CurrentSender = null;
                    address.Release();
                }

                if (isGuarded)
                    incarnation.Guard!.NotBusyAnyMore();
                if (metronome.Beats != beats)
                    quantum = 0;
            }
        }
        catch (Exception failure)
        {
            if (isGuarded && !LeaveAfterFailure(incarnation))
                return false;
            Fail(failure, message, sender);
        }

        return true;
    }

    // The exception may come from the handler itself (then the thread is still inside) or from the task it returned.
    private bool LeaveAfterFailure(Incarnation incarnation)
    {
        var guard = incarnation.Guard!;
        if (!guard.Leave() && guard.IsTaken)
        {
            LeaveLost(incarnation, default);
            return false;
        }

        guard.NotBusyAnyMore();
        return true;
    }

    // The turn has a new owner, who knows nothing of this thread. What the handler returned is only watched, so that
    // the count of lost handlers tells how many are still running.
    private static void LeaveLost(Incarnation incarnation, ValueTask handling)
    {
        incarnation.Cell.System.Lost.ThreadCameBack();
        new Activity(ActivityKind.Receiving, incarnation, message: null, sender: null, handling).Register();
    }

    private void Await(Activity activity)
    {
        activity.Since = System.Clock.Elapsed;
        Pending = activity;
        if (_state is ActorState.Stopping or ActorState.Halting)
            LimitPatience();
        activity.Register();
    }

    // Taken one by one from a field rather than from a local list: if the turn is taken away from this thread while a
    // hook runs, the next owner finds the rest.
    private bool TryTakeCommand(out SystemMessage command)
    {
        if (_commands is null && !_lane.IsEmpty)
            _commands = _lane.TakeAll();
        command = _commands!;
        if (command is null)
            return false;
        _commands = command.Next;
        command.Next = null;
        return true;
    }

    private void Obey(SystemMessage command)
    {
        try
        {
            command.Apply(this);
        }
        catch (Exception bug)
        {
            // The table said never, or the runtime is wrong in another way. This actor's state is not to be trusted;
            // its supervisor's is.
            Fail(bug, message: null, sender: null);
        }
    }
}
