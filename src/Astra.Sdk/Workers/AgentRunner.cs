using System.Collections.ObjectModel;
using System.Text.Json;

namespace Astra.Sdk;

/// <summary>
/// Runs one move of an agent (plan, step or reflection) and says how it went. The plan's steps become edits of the
/// goal's graph, with a reflection behind them that waits until every last step has ended.
/// </summary>
public sealed class AgentRunner
{
    public const string PlanKind = "$plan";
    public const string ReflectKind = "$reflect";
    public const string PlanStep = "plan";
    public const string ReflectStep = "reflect";

    private readonly Dictionary<string, Agent> _agents;
    private readonly TimeProvider _machine;

    public AgentRunner(IEnumerable<Agent> agents, TimeProvider? machine = null)
    {
        _machine = machine ?? TimeProvider.System;
        _agents = new Dictionary<string, Agent>(StringComparer.Ordinal);
        foreach (var agent in agents)
        {
            if (!IsName(agent.Name))
                throw new ArgumentException($"'{agent.Name}' cannot be an agent's name; use lower-case letters, digits and dashes, at most 100.");
            if (!_agents.TryAdd(agent.Name, agent))
                throw new ArgumentException($"There are two agents named {agent.Name}; a name is one agent.");
        }
    }

    public IReadOnlyCollection<Agent> Agents => _agents.Values;

    public static string ExecutorOf(string agent) => $"agent:{agent}";

    public static bool IsName(string name) =>
        name.Length is > 0 and <= 100 && name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-');

    /// <summary>Never throws: whatever goes wrong is a report.</summary>
    /// <param name="revoked">Cancelled when the attempt is taken away.</param>
    public async ValueTask<TaskReport> RunAsync(
        TaskAssignment assignment, IToolGate tools, IArtifactStore artifacts, IEffectLedger effects, Action<string> report, CancellationToken revoked, IChildGoals? goals = null,
        IModelEndpoint? models = null)
    {
        try
        {
            var name = assignment.Executor.StartsWith("agent:", StringComparison.Ordinal) ? assignment.Executor["agent:".Length..] : "";
            if (!_agents.TryGetValue(name, out var agent))
                throw new PermanentFailureException($"This worker has no agent for {assignment.Executor}.");
            var gate = agent.Tools is { Count: > 0 } methods ? new MethodToolGate(methods, tools) : tools;
            var turn = new TurnParts(new GoalInfo(assignment.GoalId, assignment.Agent ?? name, assignment.GoalInput), gate, artifacts, report, goals, new ModelClients(models ?? NoModels.Instance));
            var effect = new StepEffect(effects, assignment.Effect ?? new AssignedEffect(assignment.TaskId.ToString("N")));
            return assignment.Kind switch
            {
                PlanKind => await PlanAsync(agent, assignment, turn, revoked),
                ReflectKind => await ReflectAsync(agent, assignment, turn, revoked),
                _ => await ExecuteAsync(agent, assignment, turn, effect, revoked),
            };
        }
        catch (OperationCanceledException) when (revoked.IsCancellationRequested)
        {
            return new TaskReport.Dropped();
        }
        catch (Exception e)
        {
            // A refusal of the tool gate is about the call, not about the moment: trying again would be refused again. Of a
            // model's refusal the server says which it is.
            var kind = e is PermanentFailureException or ToolRefusedException or EffectRefusedException { IsPassing: false } or GoalRefusedException { IsPassing: false } or ModelRefusedException { IsPassing: false }
                ? FailureKind.Permanent : FailureKind.Transient;
            return new TaskReport.Failed(kind, FailureCause.Sentence(e), FailureCause.Fingerprint(e));
        }
    }

    /// <summary>Never throws: whatever goes wrong is an outcome.</summary>
    /// <param name="cancelled">Cancelled when nobody waits for the answer any more.</param>
    public async ValueTask<MessageResult> ReceiveAsync(string agentClass, MessageTurn turn, CancellationToken cancelled)
    {
        try
        {
            if (!_agents.TryGetValue(agentClass, out var agent))
                return new MessageResult.Refused($"This worker has no agent of class {agentClass}.");
            return new MessageResult.Done(AstraJson.ToElement(await agent.ReceiveAsync(turn, cancelled)), turn.Change);
        }
        catch (MessageRefusedException e)
        {
            return new MessageResult.Refused(FailureCause.Sentence(e));
        }
        catch (Exception e)
        {
            return new MessageResult.Failed(FailureCause.Sentence(e));
        }
    }

    /// <summary>The reflection of a goal, waiting for the last of these steps.</summary>
    public static AddStep Reflection(string agent, IReadOnlyList<AddStep> steps, string name = ReflectStep) => new()
    {
        Name = name,
        Executor = ExecutorOf(agent),
        Kind = ReflectKind,
        After = LastOf(steps),
    };

    private async ValueTask<TaskReport> PlanAsync(Agent agent, TaskAssignment assignment, TurnParts parts, CancellationToken revoked)
    {
        var plan = await agent.PlanAsync(new PlanningTurn
        {
            Goal = parts.Goal, Tools = parts.Tools, Artifacts = parts.Artifacts, Report = parts.Report, ChildGoals = parts.Goals, Models = parts.Models,
            Attempt = assignment.Attempt, Clock = Clock(assignment),
            Task = assignment.TaskId, NewId = AttemptSources.Ids(assignment.TaskId),
        }, revoked);
        var steps = ToSteps(plan, agent.Name);
        return new TaskReport.Completed(AstraJson.ToElement(new { steps = steps.Count }), [.. steps, Behind(assignment, Reflection(agent.Name, steps))]);
    }

    private async ValueTask<TaskReport> ExecuteAsync(Agent agent, TaskAssignment assignment, TurnParts parts, StepEffect effect, CancellationToken revoked)
    {
        var result = await agent.ExecuteAsync(new StepTurn
        {
            Goal = parts.Goal, Tools = parts.Tools, Artifacts = parts.Artifacts, Report = parts.Report, ChildGoals = parts.Goals, Models = parts.Models,
            Attempt = assignment.Attempt, Clock = Clock(assignment),
            Task = assignment.TaskId, NewId = AttemptSources.Ids(assignment.TaskId),
            Effect = effect, Name = assignment.Name, Kind = assignment.Kind, Input = assignment.Input, Dependencies = ByName(assignment),
        }, revoked);
        var steps = ToSteps(result.More, agent.Name);
        PlanEdit[] edits = steps.Count == 0 ? [] : [.. steps, new ReflectAfter(LastOf(steps))];
        return result.WaitFor is { } first ? new TaskReport.Suspended(first, edits) : new TaskReport.Completed(result.Output, edits, result.Outcome);
    }

    private async ValueTask<TaskReport> ReflectAsync(Agent agent, TaskAssignment assignment, TurnParts parts, CancellationToken revoked)
    {
        var result = await agent.ReflectAsync(new ReflectionTurn
        {
            Goal = parts.Goal, Tools = parts.Tools, Artifacts = parts.Artifacts, Report = parts.Report, ChildGoals = parts.Goals, Models = parts.Models,
            Attempt = assignment.Attempt, Clock = Clock(assignment),
            Task = assignment.TaskId, NewId = AttemptSources.Ids(assignment.TaskId),
            Steps = ByName(assignment),
        }, revoked);
        if (result.WaitFor is not null)
            throw new PermanentFailureException("A reflection does not suspend itself; it adds steps, and another one follows behind them.");
        var steps = ToSteps(result.More, agent.Name);
        if (steps.Count == 0)
            return new TaskReport.Completed(result.Output, []);

        // A reflection that asks for more work is followed by another one, behind that work.
        return new TaskReport.Completed(result.Output, [.. steps, Behind(assignment, Reflection(agent.Name, steps, NextReflection(assignment.Name)))]);
    }

    /// <summary>The result of a goal is that of its last task, if it has one last task. Plans and earlier reflections must
    /// not be left standing beside it.</summary>
    private static AddStep Behind(TaskAssignment assignment, AddStep reflection) =>
        reflection with { After = [.. reflection.After, new StepDependency(assignment.Name, OnlyCompleted: true)] };

    private static List<AddStep> ToSteps(Plan? plan, string agent)
    {
        if (plan is null or { Steps.Count: 0 })
            return [];
        var steps = plan.Steps.Select(step => new AddStep
        {
            Name = step.Name,
            Executor = step.Tool is { } tool ? $"tool:{tool}" : ExecutorOf(agent),
            Kind = step.Kind ?? "",
            Input = step.Input.ValueKind == JsonValueKind.Null ? null : step.Input,
            After = step.After,
            Priority = step.Options.Priority,
            AttemptCountMax = step.Options.AttemptCountMax,
            LeaseSeconds = step.Options.Lease.TotalSeconds,
            Retry = step.Options.Retry,
            WorkersLostMax = step.Options.WorkersLostMax,
            EffectKeys = step.Options.EffectKeys,
            NotBefore = step.Options.NotBefore,
            Deadline = step.Options.Deadline,
            Queue = step.Options.Queue,
            Requires = step.Options.Requires,
            Approvals = step.Options.Approvals,
            FanOut = step.FanOuts.Count == 0 ? null : [.. step.FanOuts.Select(part => part.Step.Executor != Plan.AgentExecutor ? part : part with { Step = part.Step with { Executor = ExecutorOf(agent) } })],
        }).ToList();

        // The server would refuse these too, but only here is it known that the plan is at fault for good.
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var step in steps)
        {
            if (IsOwnName(step.Name))
                throw new PermanentFailureException($"A step cannot be named '{step.Name}': the goal's own plan and reflection have that name.");
            if (step.Kind.StartsWith('$'))
                throw new PermanentFailureException($"Step '{step.Name}' cannot be of kind '{step.Kind}': kinds with a dollar sign are the system's.");
            if (!names.Add(step.Name))
                throw new PermanentFailureException($"The plan has two steps named '{step.Name}'; names are unique within a goal.");
        }
        return steps;
    }

    /// <summary>The steps that no other of these waits for.</summary>
    private static IReadOnlyList<StepDependency> LastOf(IReadOnlyList<AddStep> steps)
    {
        var waitedFor = steps.SelectMany(step => step.After).Select(after => after.Step).ToHashSet(StringComparer.Ordinal);
        return [.. steps.Where(step => !waitedFor.Contains(step.Name)).Select(step => new StepDependency(step.Name, OnlyCompleted: false))];
    }

    private static bool IsOwnName(string name) =>
        name is PlanStep or ReflectStep || (name.StartsWith("reflect-", StringComparison.Ordinal) && int.TryParse(name["reflect-".Length..], out _));

    private static string NextReflection(string name) =>
        int.TryParse(name.AsSpan(Math.Min("reflect-".Length, name.Length)), out var number) ? $"reflect-{number + 1}" : "reflect-2";

    /// <summary>Without the plan and earlier reflections: an agent reflects on steps.</summary>
    private static IReadOnlyDictionary<string, StepOutput> ByName(TaskAssignment assignment)
    {
        if (assignment.Dependencies.Count == 0)
            return ReadOnlyDictionary<string, StepOutput>.Empty;
        var byName = new Dictionary<string, StepOutput>(assignment.Dependencies.Count, StringComparer.Ordinal);
        foreach (var dependency in assignment.Dependencies)
            if (assignment.Kind != ReflectKind || !IsOwnName(dependency.Name))
                byName.Add(dependency.Name, dependency);
        return byName;
    }

    private AttemptClock Clock(TaskAssignment assignment) => new(assignment.Now, _machine);

    private sealed record TurnParts(GoalInfo Goal, IToolGate Tools, IArtifactStore Artifacts, Action<string> Report, IChildGoals? Goals, IModelClients Models);
}
