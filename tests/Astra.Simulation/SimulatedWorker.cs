using Astra.Kernel;
using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Simulation;

/// <summary>A connection that executes tasks, well or badly. A remote one outlives its server and then has nobody to talk to.</summary>
internal sealed class SimulatedWorker : IMessageWorker
{
    /// <summary>Every node has at least one worker for each, or a task could wait there for ever.</summary>
    public static readonly IReadOnlyList<string> Executors = ["agent:writer", "tool:fetch", "tool:build"];

    private static readonly TimeSpan WorkMax = TimeSpan.FromSeconds(1.2);
    private static readonly TimeSpan IdleHeartbeatPeriod = TimeSpan.FromSeconds(3);

    private enum Fate
    {
        Complete,
        FailTransiently,
        FailForGood,
        Vanish,
        ReportLate,
        ReportTwice,
        Disconnect,
        GiveBack,
        DieOfIt,
    }

    private readonly SimulationRun _run;
    private readonly SimulatedProcess _process;
    private readonly KernelNode _kernel;
    private readonly string _name;
    private readonly bool _isInProcess;
    private readonly IRandomness _dice;
    private readonly IDispatcher _site;
    private readonly HashSet<AttemptId> _held = [];
    private readonly WorkerLink _link;
    private bool _isConnected = true;
    private int _addedCount;

    public SimulatedWorker(SimulationRun run, SimulatedProcess process, KernelNode kernel, string name, bool isInProcess, IRandomness dice)
    {
        (_run, _process, _kernel, _name, _isInProcess, _dice) = (run, process, kernel, name, isInProcess, dice);
        _site = isInProcess ? process : run.Network.Outside;
        var executors = dice.Chance(0.5) ? Executors : [.. Executors.Where(_ => dice.Chance(0.6))];
        var offer = new WorkerOffer(name, Tenant: null, name.EndsWith("-0", StringComparison.Ordinal) ? Executors : executors, Slots: dice.Between(1, 4), isInProcess, TakesMessages: run.Options.HasAgents);
        _link = kernel.Connect(offer, this);
        run.Bounds.Joined(_link.Id, offer);
        StayHeard();
    }

    public void Assign(Assignment assignment)
    {
        _run.Verdict.Watch(() =>
        {
            _run.Replies.Assigned(assignment, _link.Id);
            return Task.CompletedTask;
        });
        _site.Schedule(TimeSpan.FromMilliseconds(_dice.Between(0, 5)), () => _run.Verdict.Watch(() => WorkAsync(assignment)));
    }

    public void Revoke(TaskId task, int attempt, string reason) => _site.Schedule(TimeSpan.FromMilliseconds(_dice.Between(0, 5)), () =>
    {
        _held.Remove(new AttemptId(task, attempt));
        _ = CallAsync(() => _link.HeartbeatAsync([]));
    });

    /// <summary>Also while there is nothing to renew: a worker that is not heard is given nothing.</summary>
    private void StayHeard() => _site.Schedule(IdleHeartbeatPeriod, () =>
    {
        if (!_isConnected || _process.HasCrashed)
            return;
        _ = CallAsync(() => _link.HeartbeatAsync([]));
        StayHeard();
    });

    private async Task WorkAsync(Assignment assignment)
    {
        var attempt = new AttemptId(assignment.Task, assignment.Attempt);
        var fate = IsPoison(assignment) ? Fate.DieOfIt : _run.HasFaults ? DrawFate() : Fate.Complete;
        var work = WorkMax * _dice.NextDouble();
        _held.Add(attempt);
        if (_run.Trace.IsRead)
            _run.Trace.Note(_name[..6], $"{_name} has attempt {attempt.Attempt} of {assignment.Spec.Name} of {Trace.Short(assignment.Goal.Value)} and will {fate}");
        switch (fate)
        {
            case Fate.Vanish:
                _run.Faults.Strike(Fault.VanishedWorker);
                return;
            case Fate.DieOfIt:
                _run.Faults.Strike(Fault.PoisonedWorker);
                await Network.DelayAsync(_site, work);
                await ReconnectAsync();
                return;
            case Fate.ReportLate:
                _run.Faults.Strike(Fault.LateReport);
                await Network.DelayAsync(_site, assignment.Spec.LeaseDuration * 1.5);
                await CompleteAsync(assignment, attempt);
                return;
            case Fate.Disconnect:
                _run.Faults.Strike(Fault.DroppedConnection);
                await Network.DelayAsync(_site, work);
                await ReconnectAsync();
                return;
        }
        if (!await WorkWithHeartbeatsAsync(attempt, work, assignment.Spec.LeaseDuration / 3))
            return;
        if (_run.Options.EffectShare > 0 && _dice.Chance(_run.Options.EffectShare) && !await ActAsync(assignment, attempt))
            return;
        if (_run.Options.RelatedShare > 0 && _dice.Chance(_run.Options.RelatedShare * 0.2))
            await DelegateAsync(assignment, attempt);
        switch (fate)
        {
            case Fate.FailTransiently:
                await FailAsync(attempt, FailureKind.Transient);
                break;
            case Fate.FailForGood:
                await FailAsync(attempt, FailureKind.Permanent);
                break;
            case Fate.GiveBack:
                await CallAsync(() => _link.ReleaseAsync(attempt, "the dice"));
                break;
            case Fate.ReportTwice:
                _run.Faults.Strike(Fault.RepeatedReport);
                await CompleteAsync(assignment, attempt);
                await CompleteAsync(assignment, attempt);
                break;
            default:
                await CompleteAsync(assignment, attempt);
                break;
        }
        _held.Remove(attempt);
    }

    private Fate DrawFate()
    {
        var faults = _run.Options.Workers;
        var left = _dice.NextDouble();
        foreach (var (share, fate) in new[]
        {
            (faults.TransientShare, Fate.FailTransiently), (faults.PermanentShare, Fate.FailForGood), (faults.VanishShare, Fate.Vanish),
            (faults.LateShare, Fate.ReportLate), (faults.TwiceShare, Fate.ReportTwice), (faults.DisconnectShare, Fate.Disconnect), (faults.ReleaseShare, Fate.GiveBack),
        })
        {
            if (left < share)
                return fate;
            left -= share;
        }
        return Fate.Complete;
    }

    /// <summary>Some tasks kill whoever runs them, whoever that is and whatever else goes wrong.</summary>
    private bool IsPoison(Assignment assignment) =>
        _run.Options.Workers.PoisonShare > 0 && StableHash.Of(assignment.Task.Value.ToByteArray()) < _run.Options.Workers.PoisonShare * ulong.MaxValue;

    // ---- Messages -------------------------------------------------------------------------------------------------

    /// <summary>An agent's code: it counts its messages, or fails, or says nothing at all.</summary>
    public void Deliver(MessageCall call)
    {
        var luck = _dice.NextDouble();
        if (_run.HasFaults && luck < _run.Options.Workers.VanishShare)
            return;
        var fails = _run.HasFaults && luck > 1 - _run.Options.Workers.TransientShare / 2;
        _site.Schedule(WorkMax * 0.2 * _dice.NextDouble(), () => _process.Post(() => call.End(fails
            ? new MessageOutcome.Failed("The dice said so.")
            : Counted(call.State))));
    }

    public void Cancel(MessageCall call, string reason) => _process.Post(() => call.End(new MessageOutcome.Lost(reason)));

    private static MessageOutcome Counted(ReadOnlyMemory<byte> state)
    {
        var count = BitConverter.GetBytes((state.IsEmpty ? 0 : BitConverter.ToInt32(state.Span)) + 1);
        return new MessageOutcome.Done(count, count);
    }

    // ---- Work -----------------------------------------------------------------------------------------------------

    /// <summary>False when the lease was lost on the way.</summary>
    private async Task<bool> WorkWithHeartbeatsAsync(AttemptId attempt, TimeSpan work, TimeSpan interval)
    {
        for (var done = TimeSpan.Zero; done < work; done += interval)
        {
            await Network.DelayAsync(_site, work - done < interval ? work - done : interval);
            if (!_held.Contains(attempt))
                return false;
            var lost = await CallAsync(() => _link.HeartbeatAsync([attempt]));
            if (lost.IsKnown && lost.Value.Contains(attempt))
                return false;
        }
        return true;
    }

    /// <summary>Intent, effect, outcome; sometimes one of them twice, sometimes the end in between.</summary>
    /// <returns>False when the attempt ends here.</returns>
    private async Task<bool> ActAsync(Assignment assignment, AttemptId attempt)
    {
        var before = assignment.Spec.Extras.Effect?.State;
        var intent = await CallAsync(() => _link.IntendAsync(attempt, "the dice"));
        if (before == EffectState.Sent)
        {
            _run.Verdict.Check(!intent.IsKnown || !intent.Value.IsOk, $"Attempt {attempt.Attempt} of {assignment.Spec.Name} may make an effect that was sent before.");
            return true;
        }
        if (intent is not { IsKnown: true, Value.IsOk: true })
            return false;
        _run.Replies.Acts(attempt);
        if (_run.HasFaults && _dice.Chance(0.2))
            return _dice.Chance(0.5);
        var outcome = _dice.Chance(0.7) ? EffectState.Sent : EffectState.NotSent;
        for (var times = _dice.Between(1, 3); times > 0; times--)
            await CallAsync(() => _link.SettleAsync(attempt, outcome, outcome == EffectState.Sent ? new byte[] { 7 } : default));
        return true;
    }

    private async Task CompleteAsync(Assignment assignment, AttemptId attempt)
    {
        var output = attempt.Task.Value.ToByteArray()[..4];
        var edits = _run.HasFaults && _dice.Chance(_run.Options.FanOutShare) ? DrawFanOut(assignment) : [];
        if (edits.Count > 0 && edits[0] is GraphEdit.Add first && _dice.Chance(0.2))
        {
            await SuspendAsync(assignment, attempt, first.Spec.Name);
            return;
        }
        var outcome = _dice.Pick<string?>([null, .. PlanDice.Outcomes]);
        var answer = await CallAsync(() => _link.CompleteAsync(attempt, output, edits, outcome));
        if (answer is { IsKnown: true, Value.Refusal.Kind: RefusalKind.Invalid or RefusalKind.Conflict or RefusalKind.NotFound })
            answer = await CallAsync(() => _link.CompleteAsync(attempt, output, [], outcome));
        if (answer is { IsKnown: true, Value.IsOk: true })
            _run.Replies.Accepted(attempt, TaskCommand.Complete);
    }

    /// <summary>A goal for another agent, asked for again and again, as by a worker that does not hear the answer.</summary>
    private async Task DelegateAsync(Assignment assignment, AttemptId attempt)
    {
        var request = new GoalRequest { Agent = "reader", Title = "for another", Plan = [new GraphEdit.Add(new TaskSpec { Name = "plan", Executor = SimulatedWorker.Executors[0] }, [])] };
        var first = await CallAsync(() => _link.SubmitGoalAsync(attempt, "#1", request));
        var again = await CallAsync(() => _link.SubmitGoalAsync(attempt, "#1", request));
        if (first is { IsKnown: true, Value.IsOk: true })
            _run.Verdict.Check(_run.Journal.Find(first.Value.Value)?.Tenant == assignment.Tenant, $"Task {assignment.Spec.Name} was told of goal {first.Value.Value}, which is not in the log.");
        foreach (var answer in (Reply<Answer<GoalId>>[])[first, again])
            _run.Verdict.Check(answer is not { IsKnown: true, Value.Refusal.Kind: RefusalKind.Invalid or RefusalKind.NotFound }, $"Task {assignment.Spec.Name} may not submit a good goal.");
    }

    private async Task FailAsync(AttemptId attempt, FailureKind kind)
    {
        _run.Faults.Strike(Fault.FailedAttempt);
        var answer = await CallAsync(() => _link.FailAsync(attempt, new Failure(kind, "The dice said so.", "dice")));
        if (answer is { IsKnown: true, Value.IsOk: true })
            // A task whose deadline has passed meanwhile is dead, and the report says nothing new.
            _run.Replies.Accepted(attempt, TaskCommand.Retry, TaskCommand.Exhaust, TaskCommand.Suspend, TaskCommand.Lapse);
    }

    /// <summary>Something has to be done first, and then the task is tried anew.</summary>
    private async Task SuspendAsync(Assignment assignment, AttemptId attempt, string name)
    {
        var answer = await CallAsync(() => _link.SuspendAsync(
            attempt, [new NamedDependency(name, DependencyKind.Ended)], [new GraphEdit.Add(_run.Plans.DrawSpec(name, _dice), [])]));
        _run.Verdict.Check(answer is not { IsKnown: true, Value.Refusal.Kind: RefusalKind.Invalid or RefusalKind.NotFound }, $"Task {assignment.Spec.Name} cannot wait for a new one.");
        if (answer is { IsKnown: true, Value.IsOk: true })
            _run.Replies.Accepted(attempt, TaskCommand.Suspend);
    }

    /// <summary>A few tasks that work on this one's result, sometimes in a circle, which must be refused.</summary>
    private List<GraphEdit> DrawFanOut(Assignment assignment)
    {
        var edits = new List<GraphEdit>();
        var before = assignment.Spec.Name;
        var count = _dice.Between(1, 3);
        for (var i = 0; i < count; i++)
        {
            var name = $"{assignment.Spec.Name}.{assignment.Attempt}.{++_addedCount}";
            edits.Add(new GraphEdit.Add(_run.Plans.DrawSpec(name, _dice), [new NamedDependency(before, _dice.Pick([DependencyKind.Completed, DependencyKind.Ended]))]));
            if (_dice.Chance(0.5))
                before = name;
        }
        if (_dice.Chance(0.1))
            edits.Add(new GraphEdit.Rewire(assignment.Spec.Name, [new NamedDependency(before, DependencyKind.Completed)]));
        return edits;
    }

    private async Task ReconnectAsync()
    {
        if (!_isConnected)
            return;
        _isConnected = false;
        _held.Clear();
        await CallAsync(async () =>
        {
            await _link.DisposeAsync();
            _ = new SimulatedWorker(_run, _process, _kernel, _name, _isInProcess, _dice);
            return true;
        });
    }

    private async Task<Reply<T>> CallAsync<T>(Func<ValueTask<T>> call) => _isInProcess
        ? new Reply<T>(true, await call())
        : await _run.Network.CallAsync(_process, call);
}
