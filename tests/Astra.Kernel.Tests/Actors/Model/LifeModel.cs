using Astra.Kernel.Actors;

namespace Astra.Kernel.Tests.Actors.Model;

/// <summary>
/// The life of a small tree of actors as one reads it in the documentation: sequential, without mailboxes, lanes,
/// turns or threads. It knows only what is true when everything has come to rest.
/// </summary>
internal sealed class LifeModel(LifeRules rules)
{
    private readonly List<ModelActor?> _places = [.. new ModelActor?[LifeStory.PlaceCount]];
    private readonly List<ModelGroup> _groups = [];
    private readonly bool[] _nextStartFails = new bool[LifeStory.PlaceCount];
    private TimeSpan _now;

    /// <summary>The one that was spawned last in each place, gone or not.</summary>
    public IReadOnlyList<ModelActor?> Places => _places;

    public int DeadLetterCount { get; private set; }

    public int LostHandlerCount { get; private set; }

    public int NodeFailureCount { get; private set; }

    public List<string> Log { get; } = [];

    /// <summary>
    /// Whether this step has one outcome whatever the order of turns. Poison that waits in the mailbox of one member
    /// of a group races the work of the others when they are all started at once.
    /// </summary>
    public bool IsDetermined(LifeStep step)
    {
        if (rules.Strategy == RestartStrategy.OneForOne)
            return true;
        bool waits = _places[step.Place] is not { State: ActorState.Running, IsHolding: false };
        return step.Verb switch
        {
            Verb.NextStartFails => false,
            Verb.Fail or Verb.FailStructurally or Verb.Hold => !waits,
            _ => true,
        };
    }

    public void Spawn(int place)
    {
        int parent = LifeStory.ParentOf[place];
        if (parent < 0)
            Birth(place, parent: null);
        else
            Send(parent, new ModelMessage(Verb.Spawn, place, ""));
    }

    public void Send(int place, ModelMessage message)
    {
        if (_places[place] is not { } actor)
            return;
        if (actor.State is ActorState.Stopping or ActorState.Stopped)
        {
            DeadLetterCount++;
            return;
        }

        actor.Mailbox.Enqueue(message);
        Work(actor);
    }

    public void NextStartFails(int place) => _nextStartFails[place] = true;

    public void Stop(int place)
    {
        if (_places[place] is { } actor)
            Stop(actor);
    }

    public void Release(int place)
    {
        if (_places[place] is not { } actor)
            return;
        LostHandlerCount -= actor.LostCount;
        actor.LostCount = 0;
        if (!actor.IsHolding)
            return;
        actor.IsHolding = false;
        Log.Add($"{actor} let go");
        Work(actor);
        Settle(actor);
    }

    public void Advance(TimeSpan duration)
    {
        var until = _now + duration;
        while (_groups.Where(group => !group.IsBackoffOver && group.DueAt <= until).MinBy(group => group.DueAt) is { } due)
        {
            _now = due.DueAt;
            due.IsBackoffOver = true;
            StartIfReady(due);
        }

        _now = until;
    }

    private void Birth(int place, ModelActor? parent)
    {
        if (_places[place] is { State: not ActorState.Stopped })
        {
            Log.Add($"{place} is taken");
            return;
        }

        var child = new ModelActor(place, parent) { LostCount = _places[place]?.LostCount ?? 0 };
        _places[place] = child;
        parent?.Children.Add(child);
        Start(child);
    }

    private void Start(ModelActor actor)
    {
        actor.Incarnation++;
        actor.State = ActorState.Running;
        if (_nextStartFails[actor.Place])
        {
            _nextStartFails[actor.Place] = false;
            Fail(actor, isStructural: false);
        }
        else
        {
            Log.Add($"{actor} starts");
        }

        Work(actor);
    }

    private void Work(ModelActor actor)
    {
        while (actor is { State: ActorState.Running, IsHolding: false } && actor.Mailbox.TryDequeue(out var message))
        {
            switch (message.Verb)
            {
                case Verb.Spawn:
                    Birth(message.Place, actor);
                    break;
                case Verb.Hold:
                    actor.IsHolding = true;
                    break;
                case Verb.Send:
                    Log.Add($"{actor} {message.Text}");
                    break;
                default:
                    DeadLetterCount += rules.Poison == PoisonPolicy.DeadLetter ? 1 : 0;
                    Fail(actor, message.Verb == Verb.FailStructurally);
                    break;
            }
        }
    }

    private void Fail(ModelActor actor, bool isStructural)
    {
        // What is halting, stopping or gone fails no more.
        if (actor.State is not ActorState.Running)
            return;
        var directive = actor.Parent is null
            ? isStructural ? rules.OnEscalation : rules.OnFailure
            : isStructural ? Directive.Escalate : rules.OnFailure;
        switch (directive)
        {
            case Directive.Resume:
                break;
            case Directive.Restart:
                Restart(actor);
                break;
            case Directive.Stop:
                Stop(actor);
                break;
            default:
                Escalate(actor, isStructural);
                break;
        }
    }

    private void Escalate(ModelActor actor, bool isStructural)
    {
        if (actor.Parent is not { } parent)
        {
            NodeFailureCount++;
            Stop(actor);
            return;
        }

        // It waits for the judgement, and works on if its supervisor is forgiven: nothing here can see the difference.
        Fail(parent, isStructural);
    }

    private void Restart(ModelActor failed)
    {
        var group = new ModelGroup(_now + LifeRules.Backoff, Affected(failed));
        _groups.Add(group);
        foreach (var member in group.Members)
        {
            bool isToldAlready = member.Group is not null;
            member.Group = group;
            if (!isToldAlready)
                Halt(member);
        }
    }

    private List<ModelActor> Affected(ModelActor failed)
    {
        if (failed.Parent is not { } parent || rules.Strategy == RestartStrategy.OneForOne)
            return [failed];
        int first = rules.Strategy == RestartStrategy.OneForAll ? 0 : parent.Children.IndexOf(failed);
        foreach (var sibling in parent.Children.Skip(first).ToList())
        {
            if (sibling.Group is { } overlapping)
                first = Math.Min(first, parent.Children.IndexOf(overlapping.Members[0]));
        }

        return [.. parent.Children.Skip(first)];
    }

    private void Halt(ModelActor actor)
    {
        if (actor.State is ActorState.Stopping or ActorState.Stopped)
            return;
        actor.State = ActorState.Halting;
        if (actor.IsHolding)
        {
            actor.IsHolding = false;
            actor.LostCount++;
            LostHandlerCount++;
            DeadLetterCount++;
        }

        foreach (var child in actor.Children.ToList())
            Stop(child);
        Settle(actor);
    }

    private void Stop(ModelActor actor)
    {
        if (actor.State is ActorState.Stopping or ActorState.Stopped)
            return;
        actor.State = ActorState.Stopping;
        DeadLetterCount += actor.Mailbox.Count;
        actor.Mailbox.Clear();
        foreach (var child in actor.Children.ToList())
            Stop(child);
        Settle(actor);
    }

    /// <summary>Whoever is to end does so when its handler is back and its last child is gone.</summary>
    private void Settle(ModelActor actor)
    {
        if (actor.IsHolding || actor.Children.Count > 0)
            return;
        if (actor.State == ActorState.Halting)
        {
            actor.State = ActorState.Halted;
            if (actor.Group is { } group)
                StartIfReady(group);
        }
        else if (actor.State == ActorState.Stopping)
        {
            actor.State = ActorState.Stopped;
            actor.Parent?.Children.Remove(actor);
            if (actor.Group is { } group)
            {
                group.Members.Remove(actor);
                StartIfReady(group);
            }

            if (actor.Parent is { } parent)
                Settle(parent);
        }
    }

    private void StartIfReady(ModelGroup group)
    {
        if (!group.IsBackoffOver || group.Members.Exists(member => member.Group == group && member.State != ActorState.Halted))
            return;
        _groups.Remove(group);
        var starting = group.Members.Where(member => member.Group == group).ToList();
        foreach (var member in starting)
            member.Group = null;
        foreach (var member in starting)
            Start(member);
    }
}

internal sealed record ModelMessage(Verb Verb, int Place, string Text);

internal sealed class ModelActor(int place, ModelActor? parent)
{
    public int Place => place;

    public ModelActor? Parent => parent;

    public List<ModelActor> Children { get; } = [];

    public Queue<ModelMessage> Mailbox { get; } = [];

    public ActorState State { get; set; } = ActorState.Halted;

    public int Incarnation { get; set; }

    public bool IsHolding { get; set; }

    /// <summary>Handlers of earlier incarnations, in this place, that hold still.</summary>
    public int LostCount { get; set; }

    public ModelGroup? Group { get; set; }

    public override string ToString() => $"{place}.{Incarnation}";
}

internal sealed class ModelGroup(TimeSpan dueAt, List<ModelActor> members)
{
    public TimeSpan DueAt => dueAt;

    public List<ModelActor> Members => members;

    public bool IsBackoffOver { get; set; }
}
