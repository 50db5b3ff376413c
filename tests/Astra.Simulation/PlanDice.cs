using Astra.Kernel;
using Astra.Kernel.Approvals;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>Goals and edits of goals, drawn.</summary>
internal sealed class PlanDice(SimulationOptions options)
{
    public static readonly IReadOnlyList<TenantId> Tenants = [new(new Guid(1, 0, 0, new byte[8])), new(new Guid(2, 0, 0, new byte[8]))];

    public static readonly IReadOnlyList<string> Outcomes = ["yes", "no"];

    private const string LastKind = "last";
    private static readonly IReadOnlyList<string> Groups = ["g", "g/in", "h"];

    private int _keyCount;
    private int _goalCount;

    /// <summary>Whether the world may have another goal.</summary>
    public bool TakesAnother() => _goalCount++ < options.GoalCountMax;

    /// <summary>Two agents of each tenant, on shards that are there.</summary>
    public IReadOnlyList<string> AgentsOf(TenantId tenant) => [FewShards.KeyOf(options.ShardCount, tenant, 0), FewShards.KeyOf(options.ShardCount, tenant, 1)];

    public int DrawKeyNumber() => _keyCount++;

    public GoalRequest DrawRequest(IRandomness dice, TenantId tenant, string title)
    {
        var steps = dice.Between(1, options.TaskCountMax);
        var plan = new List<GraphEdit>();
        for (var step = 0; step < steps; step++)
            plan.Add(new GraphEdit.Add(DrawSpec($"step-{step}", dice), [.. Enumerable.Range(0, step)
                .Where(_ => dice.Chance(0.35)).Select(before => DrawDependency($"step-{before}", dice))]));
        return new GoalRequest
        {
            Title = title,
            Agent = dice.Pick<string?>([null, "writer", "reader"]),
            Priority = dice.Between(-5, 5),
            DeadTaskPolicy = dice.Pick([DeadTaskPolicy.Doom, DeadTaskPolicy.Wait, DeadTaskPolicy.Skip]),
            IdempotencyKey = dice.Chance(0.7) ? DrawKey(tenant) : null,
            Plan = plan,
        };
    }

    /// <summary>What the goal has to do with others that its client knows.</summary>
    public static GoalExtras DrawRelations(IRandomness dice, IReadOnlyList<GoalId> known) => new()
    {
        After = dice.Chance(0.8)
            ? [.. Enumerable.Range(0, dice.Between(1, 3)).Select(_ => dice.Pick(known)).Distinct().Select(goal => new GoalDependency(goal, dice.Pick([GoalCondition.Completed, GoalCondition.Ended])))]
            : null,
        OnFailedGoal = dice.Pick<CascadePolicy?>([null, CascadePolicy.Cancel, CascadePolicy.GoOn]),
        Parent = dice.Chance(0.4) ? dice.Pick(known) : null,
        OnCancelledParent = dice.Pick<CascadePolicy?>([null, CascadePolicy.Cancel, CascadePolicy.GoOn]),
    };

    public TaskSpec DrawSpec(string name, IRandomness dice) => new()
    {
        Name = name,
        Executor = dice.Pick(SimulatedWorker.Executors),
        Priority = dice.Between(-3, 3),
        AttemptCountMax = dice.Between(1, 4),
        LeaseDuration = dice.Pick([TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(4)]),
        Kind = dice.Chance(0.1) ? LastKind : "",
        Extras = DrawApproval(dice, DrawExtras(dice)),
    };

    private TaskExtras DrawApproval(IRandomness dice, TaskExtras extras) =>
        options.ApprovalShare > 0 && dice.Chance(options.ApprovalShare) ? extras with { Approval = new Approval(dice.Between(1, 2)) } : extras;

    private static TaskExtras DrawExtras(IRandomness dice)
    {
        var group = dice.Chance(0.2) ? dice.Pick(Groups) : null;
        if (dice.Chance(0.85))
            return group is null ? TaskExtras.None : new TaskExtras { Group = group };
        return new TaskExtras
        {
            Group = group,
            Queue = dice.Pick<string?>([null, "emails", "calls"]),
            NotBefore = dice.Chance(0.5) ? VirtualClock.Beginning.AddSeconds(dice.Between(0, 8)) : null,
            Deadline = dice.Chance(0.3) ? VirtualClock.Beginning.AddSeconds(dice.Between(9, 20)) : null,
        };
    }

    /// <summary>A step that has not begun and that nothing waits for.</summary>
    private static string? Unneeded(GoalSnapshot plan, IRandomness dice)
    {
        var needed = plan.Tasks.SelectMany(task => task.After).Select(dependency => dependency.On).ToHashSet();
        var unneeded = plan.Tasks.Where(task => task.State is TaskState.Pending or TaskState.Ready && !needed.Contains(task.Id)).Select(task => task.Spec.Name).ToList();
        return unneeded.Count == 0 ? null : dice.Pick(unneeded);
    }

    /// <returns>One to four edits, and whether they make a circle of their own.</returns>
    public (List<GraphEdit> Edits, bool MustFail) DrawEdits(GoalSnapshot plan, IRandomness dice, string prefix)
    {
        var names = plan.Tasks.Select(task => task.Spec.Name).ToList();
        if (names.Count == 0 || dice.Chance(0.15))
            return (DrawCircle(dice, prefix), true);

        var edits = new List<GraphEdit>();
        for (var left = dice.Between(1, 4); left > 0; left--)
        {
            var name = dice.Pick(names);
            switch (dice.NextInt32(18))
            {
                case < 4:
                    edits.Add(new GraphEdit.Add(DrawSpec($"{prefix}-{left}", dice), DrawAfter(dice, names)));
                    names.Add($"{prefix}-{left}");
                    break;
                case < 7:
                    edits.Add(new GraphEdit.Rewire(name, DrawAfter(dice, names)));
                    break;
                case 7:
                    // Mostly one that nothing waits for: others are not removed.
                    edits.Add(new GraphEdit.Remove(dice.Chance(0.8) ? Unneeded(plan, dice) ?? name : name));
                    break;
                case 8:
                    edits.Add(new GraphEdit.Prioritise(name, dice.Between(-10, 10)));
                    break;
                case 9 or 10:
                    edits.Add(new GraphEdit.Suspend(name, DrawAfter(dice, names)));
                    break;
                case 11 or 12:
                    edits.Add(new GraphEdit.Extend(name, DrawAfter(dice, names)));
                    break;
                case 13:
                    edits.Add(new GraphEdit.ExtendKind(LastKind, DrawAfter(dice, names)));
                    break;
                case 14 or 15:
                    edits.Add(new GraphEdit.Replace(DrawSpec(name, dice)));
                    break;
                case 16:
                    edits.Add(dice.Chance(0.5) ? new GraphEdit.CancelGroup(dice.Pick(Groups), "the dice") : new GraphEdit.CancelSubtree(name, "the dice"));
                    break;
                default:
                    edits.Add(new GraphEdit.Cancel(name, "the dice"));
                    break;
            }
        }
        return (edits, false);
    }

    private List<GraphEdit> DrawCircle(IRandomness dice, string prefix)
    {
        var length = dice.Between(1, 4);
        return [.. Enumerable.Range(0, length).Select(i =>
            new GraphEdit.Add(DrawSpec($"{prefix}-{i}", dice), [DrawDependency($"{prefix}-{(i + 1) % length}", dice)]))];
    }

    private static List<NamedDependency> DrawAfter(IRandomness dice, List<string> names) =>
        [.. names.Where(_ => dice.Chance(0.25)).Select(name => DrawDependency(name, dice))];

    private static NamedDependency DrawDependency(string name, IRandomness dice) => dice.NextInt32(10) switch
    {
        < 6 => new NamedDependency(name, DependencyKind.Completed),
        6 => new NamedDependency(name, DependencyKind.Passed),
        7 => new NamedDependency(name, DependencyKind.Outcome, dice.Pick(Outcomes)),
        _ => new NamedDependency(name, DependencyKind.Ended),
    };

    private string DrawKey(TenantId tenant) => FewShards.KeyOf(options.ShardCount, tenant, DrawKeyNumber());
}
