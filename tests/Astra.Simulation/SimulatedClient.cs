using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;
using Astra.Kernel.Controls;
using Astra.Kernel.Tasks;
using Astra.Kernel.Timers;

namespace Astra.Simulation;

/// <summary>Somebody who submits goals and then cannot leave them alone. Whatever it is told is held against the log.</summary>
internal sealed class SimulatedClient
{
    private static readonly TimeSpan RestMax = TimeSpan.FromSeconds(0.6);

    // A redirect may lead to a node that has just lost the shard as well.
    private const int RedirectsMax = 4;

    private readonly SimulationRun _run;
    private readonly IRandomness _dice;
    private readonly Caller _caller;
    private readonly string _name;
    private readonly List<GoalId> _goals = [];
    private readonly List<(string Key, GoalRequest Request, GoalId Goal)> _keyed = [];
    private int _requestCount;
    private readonly Dictionary<TaskId, string> _seen = [];
    private ScheduleId? _schedule;

    public SimulatedClient(SimulationRun run, string name, TenantId tenant, IRandomness dice)
    {
        (_run, _name, _dice) = (run, name, dice);
        _caller = new Caller(tenant, name);
    }

    /// <summary>Every goal that must exist exists, and its client knows.</summary>
    public bool IsDone { get; private set; }

    public async Task RunAsync()
    {
        while (_run.HasFaults)
        {
            await _run.Network.DelayAsync(RestMax * _dice.NextDouble());
            if (_run.Options.EffectShare > 0 && _dice.Chance(0.2))
                await ResolveAsync();
            else if (_run.Options.ApprovalShare > 0 && _dice.Chance(0.3))
                await VoteAsync();
            else if (_run.Options.HasAgents && _dice.Chance(0.4))
                await SendAsync();
            else
                await ActAsync();
        }
        if (_run.Options.HasSchedules)
            await RemoveScheduleAsync();
        IsDone = true;
    }

    private Task ActAsync() => _dice.NextInt32(22) switch
    {
        < 5 => SubmitAsync(),
        5 => SubmitAgainAsync(),
        < 10 => _run.Options.HasEdits ? EditAsync() : ReadPlanAsync(),
        10 => CancelAsync(),
        < 13 => RedriveAsync(),
        13 => DiscardAsync(),
        14 => WhyAsync(),
        15 => _run.Options.HasSchedules && _schedule is null ? ScheduleAsync() : ListAsync(),
        16 => FixAsync(),
        < 18 => ReadAsync(),
        20 => PauseAsync(),
        21 => LimitAsync(),
        _ => ReadPlanAsync(),
    };

    // ---- Submitting -----------------------------------------------------------------------------------------------

    private async Task SubmitAsync()
    {
        if (_run.Plans.TakesAnother() is false)
            return;
        var request = _run.Plans.DrawRequest(_dice, _caller.Tenant, $"{_name}-{_requestCount++}");
        if (_run.Options.RelatedShare > 0 && _goals.Count > 0 && _dice.Chance(_run.Options.RelatedShare))
            request = request with { Extras = PlanDice.DrawRelations(_dice, _goals) };
        if (request.IdempotencyKey is not { } key)
        {
            var reply = await CallAsync(node => node.SubmitAsync(_caller, request), patience: 1);
            if (reply is { IsOk: true } accepted)
                Remember(accepted.Value, shownBefore: 0);
            return;
        }

        // With a key one may ask until somebody knows, and one does: also when the faults are over.
        while (true)
        {
            var reply = await CallAsync(node => node.SubmitAsync(_caller, request), patience: 5);
            if (reply is { IsOk: true } accepted)
            {
                Remember(accepted.Value, shownBefore: 0);
                _keyed.Add((key, request, accepted.Value.Id));
                return;
            }
            // Its parent has ended meanwhile, or has too many ancestors.
            if (request.Extras.Parent is not null && reply?.Refusal is { Kind: RefusalKind.Conflict })
                return;
            _run.Verdict.Check(reply?.Refusal is not { Kind: RefusalKind.Conflict or RefusalKind.Invalid or RefusalKind.NotFound }, $"A good goal was refused: {reply?.Refusal?.Reason}");
        }
    }

    private async Task SubmitAgainAsync()
    {
        if (_keyed.Count == 0)
            return;
        var (key, request, goal) = _dice.Pick(_keyed);
        var isSame = _dice.Chance(0.7);
        var shown = _run.Replies.ShownOf(goal);
        var again = isSame ? request : request with { Title = request.Title + " and more" };
        if (await CallAsync(node => node.SubmitAsync(_caller, again), patience: 3) is not { } reply)
            return;
        if (reply.IsOk)
        {
            _run.Verdict.Check(isSame && reply.Value.Id == goal, $"Key {key} stands for goal {goal}, and a {(isSame ? "repeated" : "different")} submission was answered with {reply.Value.Id}.");
            _run.Replies.Shown(reply.Value, shown);
        }
        else
            _run.Verdict.Check(!isSame || IsPassing(reply.Refusal!), $"A repeated submission under {key} was refused: {reply.Refusal!.Reason}");
    }

    private void Remember(GoalRow row, long shownBefore)
    {
        _run.Replies.Shown(row, shownBefore);
        _goals.Add(row.Id);
    }

    // ---- Changing -------------------------------------------------------------------------------------------------

    private async Task EditAsync()
    {
        if (await PlanOfAsync() is not { } plan)
            return;
        var (edits, mustFail) = _run.Plans.DrawEdits(plan, _dice, $"{_name}-{_requestCount++}");
        long? revision = _dice.Chance(0.5) ? plan.Goal.Revision : null;
        // Whoever says what they have seen has thought about it, and others have not waited.
        if (revision is not null)
            await _run.Network.DelayAsync(RestMax);
        var shown = _run.Replies.ShownOf(plan.Goal.Id);
        if (await CallAsync(node => node.EditPlanAsync(_caller, plan.Goal.Id, revision, edits, "the dice"), patience: 1) is not { } reply)
            return;
        if (reply.IsOk)
        {
            _run.Verdict.Check(!mustFail, $"A circle was accepted into goal {plan.Goal.Id}: {string.Join("; ", edits)}");
            _run.Verdict.Check(revision is null || reply.Value.Goal.Revision == revision + 1, $"An edit of revision {revision} of goal {plan.Goal.Id} made {reply.Value.Goal.Revision}.");
            _run.Replies.Shown(reply.Value, shown);
        }
    }

    private Task CancelAsync() => OnGoalAsync((node, goal) => node.CancelGoalAsync(_caller, goal, "the dice"), row =>
        _run.Verdict.Check(row.State == GoalState.Cancelled, $"A cancelled goal is shown as {row.State}."));

    /// <summary>Whoever pauses a goal lets it go on again, and asks until somebody has heard it.</summary>
    private async Task PauseAsync()
    {
        if (_goals.Count == 0)
            return;
        var goal = _dice.Pick(_goals);
        await CallAsync(node => node.PauseGoalAsync(_caller, goal, "the dice"), patience: 2);
        await _run.Network.DelayAsync(RestMax * _dice.NextDouble());
        while (await CallAsync(node => node.ResumeGoalAsync(_caller, goal), patience: 5) is not { } reply || (!reply.IsOk && IsPassing(reply.Refusal!)))
            await _run.Network.DelayAsync(RestMax);
    }

    private async Task LimitAsync()
    {
        var change = _dice.Pick<ControlChange>([
            new ControlChange.SetLimit(new Limit(LimitScope.Queue, "emails", _dice.Between(1, 3), null, null)),
            new ControlChange.SetLimit(new Limit(LimitScope.Tenant, "", null, _dice.Between(1, 20), null)),
            new ControlChange.RemoveLimit(LimitScope.Tenant, ""), new ControlChange.SetWeight(new Weight("", _dice.Between(50, 200)))]);
        _run.Bounds.Asked(_caller.Tenant, change);
        await CallAsync(node => node.ChangeControlsAsync(_caller.Tenant, change), patience: 2);
    }

    private async Task RedriveAsync()
    {
        if (await PlanOfAsync() is { } plan && _dice.PickOrNone([.. plan.Tasks.Where(task => task.State == TaskState.Dead)]) is { } dead
            && await CallAsync(node => node.RedriveAsync(_caller, dead.Id), patience: 1) is { IsOk: true } reply)
            _run.Replies.Told(reply.Value);
    }

    private async Task ResolveAsync()
    {
        if (await PlanOfAsync() is { } plan
            && _dice.PickOrNone([.. plan.Tasks.Where(task => task is { State: TaskState.Pending, Spec.Extras.Effect.State: EffectState.Unknown })]) is { } unknown
            && await CallAsync(node => node.ResolveEffectAsync(_caller, unknown.Id, _dice.Pick([EffectState.Sent, EffectState.NotSent]), default), patience: 1) is { IsOk: true } reply)
            _run.Replies.Told(reply.Value);
    }

    /// <summary>Somebody says yes, or now and then no: to what a task is, or by mistake to what it was. The client itself has
    /// asked for nearly all of it, and has to be refused.</summary>
    private async Task VoteAsync()
    {
        if (await PlanOfAsync() is not { } plan || _dice.PickOrNone([.. plan.Tasks.Where(task => task.AwaitsApproval)]) is not { } asks)
            return;
        var voter = new Caller(_caller.Tenant, _dice.Chance(0.1) ? _name : _dice.Pick(["bob", "eve", "joe"]));
        var isFor = _dice.Chance(0.9);
        var digest = _seen.TryGetValue(asks.Id, out var before) && _dice.Chance(0.2) ? before : _seen[asks.Id] = Approval.DigestOf(asks.Id, asks.Spec);
        if (await CallAsync(node => node.VoteAsync(voter, asks.Id, isFor, digest, null), patience: 2) is { IsOk: true } reply)
            _run.Replies.Told(reply.Value);
    }

    private async Task DiscardAsync()
    {
        if (await PlanOfAsync() is { } plan && _dice.PickOrNone([.. plan.Tasks.Where(task => task.State == TaskState.Dead)]) is { } dead
            && await CallAsync(node => node.DiscardAsync(_caller, dead.Id, "the dice"), patience: 1) is { } reply)
        {
            _run.Verdict.Check(reply.Refusal is not { Kind: RefusalKind.NotFound }, $"Task {dead.Spec.Name} was dead and is not there: {reply.Refusal?.Reason}");
            if (reply.IsOk)
                _run.Replies.Told(reply.Value);
        }
    }

    private async Task FixAsync()
    {
        if (await PlanOfAsync() is { } plan && _dice.PickOrNone([.. plan.Tasks.Where(task => task.State == TaskState.Dead)]) is { } dead
            && await CallAsync(node => node.FixAsync(_caller, dead.Id, _dice.Pick(SimulatedWorker.Executors), null), patience: 1) is { IsOk: true } reply)
            _run.Replies.Told(reply.Value);
    }

    // ---- Agents and schedules -------------------------------------------------------------------------------------

    private async Task SendAsync()
    {
        var agent = _dice.Pick(_run.Plans.AgentsOf(_caller.Tenant));
        if (await CallAsync(node => node.Agents.SendAsync(_caller, agent, default), patience: 1) is { IsOk: true } reply)
            _run.Agents.Answered(_caller.Tenant, agent, reply.Value.Bytes);
    }

    /// <summary>The goals of a schedule have keys made of its times, so one that fires twice has made two goals of one key.</summary>
    private async Task ScheduleAsync()
    {
        var name = FewShards.KeyOf(_run.Options.ShardCount, _caller.Tenant, _run.Plans.DrawKeyNumber());
        if (await CallAsync(node => node.AddScheduleAsync(_caller, name, "every 1s", "UTC", _dice.Pick([MisfirePolicy.Skip, MisfirePolicy.Once, MisfirePolicy.All]), "fired"u8.ToArray()), patience: 1) is { IsOk: true } reply)
            _schedule = reply.Value.Id;
    }

    private async Task RemoveScheduleAsync()
    {
        // Also one whose answer was lost: whatever stands there goes.
        while (true)
        {
            var listed = await CallAsync(node => node.ListSchedulesAsync(_caller.Tenant), patience: 5);
            if (listed is { IsOk: true, Value.Count: 0 })
                return;
            if (listed is { IsOk: true } known)
                await CallAsync(node => node.RemoveScheduleAsync(_caller, known.Value[0].Id), patience: 5);
            else
                await _run.Network.DelayAsync(RestMax);
        }
    }

    // ---- Reading --------------------------------------------------------------------------------------------------

    private Task ReadAsync() => OnGoalAsync((node, goal) => node.GetGoalAsync(_caller.Tenant, goal), _ => { });

    private async Task ReadPlanAsync() => await PlanOfAsync();

    private async Task<GoalSnapshot?> PlanOfAsync()
    {
        if (_goals.Count == 0)
            return null;
        var goal = _dice.Pick(_goals);
        var shown = _run.Replies.ShownOf(goal);
        if (await CallAsync(node => node.GetPlanAsync(_caller.Tenant, goal), patience: 2) is not { } reply)
            return null;
        _run.Verdict.Check(reply.IsOk || IsPassing(reply.Refusal!), $"Goal {goal} was acknowledged and cannot be read: {reply.Refusal?.Reason}");
        if (!reply.IsOk)
            return null;
        _run.Replies.Shown(reply.Value, shown);
        return reply.Value;
    }

    private async Task WhyAsync()
    {
        if (await PlanOfAsync() is not { } plan)
            return;
        var about = _dice.PickOrNone(plan.Tasks)?.Id.Value ?? plan.Goal.Id.Value;
        if (await CallAsync(node => node.WhyAsync(_caller.Tenant, about), patience: 1) is { IsOk: true } reply)
            _run.Verdict.Check(reply.Value.Sentence.EndsWith('.') || reply.Value.Sentence.Length > 20, $"That is no sentence: {reply.Value.Sentence}");
    }

    private async Task ListAsync()
    {
        if (await CallAsync(node => node.ListGoalsAsync(_caller.Tenant, null, null, null, 100), patience: 1) is { IsOk: true } reply)
            foreach (var row in reply.Value)
                _run.Replies.Shown(row, shownBefore: 0);
    }

    private async Task OnGoalAsync(Func<KernelNode, GoalId, ValueTask<Answer<GoalRow>>> ask, Action<GoalRow> check)
    {
        if (_goals.Count == 0)
            return;
        var goal = _dice.Pick(_goals);
        var shown = _run.Replies.ShownOf(goal);
        if (await CallAsync(node => ask(node, goal), patience: 2) is not { } reply)
            return;
        _run.Verdict.Check(reply.Refusal is not { Kind: RefusalKind.NotFound }, $"Goal {goal} was acknowledged and is not found: {reply.Refusal?.Reason}");
        if (!reply.IsOk)
            return;
        _run.Replies.Shown(reply.Value, shown);
        check(reply.Value);
    }

    // ---- Asking ---------------------------------------------------------------------------------------------------

    /// <summary>Asks any node, follows redirects, and comes back after refusals that pass. Null: nobody answered.</summary>
    private async Task<Answer<T>?> CallAsync<T>(Func<KernelNode, ValueTask<Answer<T>>> ask, int patience)
    {
        Answer<T>? last = null;
        for (var attempt = 0; attempt < patience; attempt++)
        {
            var node = _dice.Pick(_run.Nodes);
            for (var redirects = 0; redirects < RedirectsMax; redirects++)
            {
                if (!node.IsUp)
                    break;
                var kernel = node.Kernel;
                var reply = await _run.Network.CallAsync(node.Process, () => ask(kernel));
                if (!reply.IsKnown)
                    break;
                last = reply.Value;
                if (last.Value.Refusal is { Kind: RefusalKind.Overloaded } && _run.Options.MailboxMax is not null)
                    _run.Faults.Strike(Fault.FullMailbox);
                _run.Trace.Happened((int)(last.Value.Refusal?.Kind ?? (RefusalKind)99));
                if (last.Value.Refusal is not { Kind: RefusalKind.Elsewhere, Address: var address })
                    break;
                node = _run.Nodes.First(other => $"http://{other.Name}" == address);
            }
            if (last is { } answer && (answer.IsOk || !IsPassing(answer.Refusal!)))
                return answer;
            await _run.Network.DelayAsync(TimeSpan.FromMilliseconds(_dice.Between(50, 500)));
        }
        return last;
    }

    private static bool IsPassing(Refusal refusal) => refusal.Kind is RefusalKind.Unavailable or RefusalKind.Overloaded or RefusalKind.Elsewhere;
}
