using Astra.Kernel.Approvals;
using Astra.Sdk;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>What a step of a plan file may say beside its name, and what it means when it says nothing.</summary>
internal static class PlanFileStepKeys
{
    public const string Name = "name";
    public const string Tool = "tool";
    public const string Agent = "agent";
    public const string Kind = "kind";
    public const string Input = "input";
    public const string After = "after";
    public const string Retries = "retries";
    public const string Priority = "priority";
    public const string Lease = "lease";
    public const string Retry = "retry";
    public const string RetryMin = "min";
    public const string RetryMax = "max";
    public const string RetryFactor = "factor";
    public const string WorkersLostMax = "workersLostMax";
    public const string EffectKeys = "effectKeys";
    public const string Queue = "queue";
    public const string Requires = "requires";
    public const string NotBefore = "notBefore";
    public const string Deadline = "deadline";
    public const string Approvals = "approvals";

    public const string PerTask = "perTask";
    public const string PerAttempt = "perAttempt";

    public const string ToolPrefix = "tool:";
    public const string AgentPrefix = "agent:";

    private const int RetriesMax = 99;
    private const double SecondsMax = 1e9;

    public static IReadOnlyList<string> All { get; } =
        [Name, Tool, Agent, Kind, Input, After, Retries, Priority, Lease, Retry, WorkersLostMax, EffectKeys, Queue, Requires, NotBefore, Deadline, Approvals];

    public static string ReadExecutor(YamlMapping step, IReadOnlyCollection<string>? knownTools)
    {
        if (step.Optional(Agent) is { } agent)
            return step.Optional(Tool) is null
                ? AgentPrefix + YamlReading.Text(agent, Agent)
                : throw new PlanFileException(agent.Start.Line, "A step is run by a tool or by an agent, not by both.");
        var node = step.Required(Tool);
        var tool = YamlReading.Text(node, Tool);
        return knownTools is null || knownTools.Contains(tool)
            ? ToolPrefix + tool
            : throw new PlanFileException(node.Start.Line, $"There is no tool '{tool}'; there is {Enumerate(knownTools)}.");
    }

    public static AddStep ReadOptions(YamlMapping step, AddStep read) => read with
    {
        Kind = step.Optional(Kind) is { } kind ? YamlReading.Text(kind, Kind) : read.Kind,
        Priority = step.Optional(Priority) is { } priority ? YamlReading.Number(priority, Priority, -100, 100) : read.Priority,
        AttemptCountMax = step.Optional(Retries) is { } retries ? 1 + YamlReading.Number(retries, Retries, 0, RetriesMax) : read.AttemptCountMax,
        LeaseSeconds = step.Optional(Lease) is { } lease ? YamlReading.Decimal(lease, Lease, 1, 3_600) : read.LeaseSeconds,
        Retry = step.Optional(Retry) is { } delays ? ReadDelays(delays) : null,
        WorkersLostMax = step.Optional(WorkersLostMax) is { } lost ? YamlReading.Number(lost, WorkersLostMax, 1, 100) : null,
        EffectKeys = step.Optional(EffectKeys) is { } keys ? YamlReading.Choice(keys, EffectKeys, [PerTask, PerAttempt]) == PerTask ? Sdk.EffectKeys.PerTask : Sdk.EffectKeys.PerAttempt : null,
        Queue = step.Optional(Queue) is { } queue ? YamlReading.Text(queue, Queue) : null,
        Requires = step.Optional(Requires) is { } requires ? ReadRequires(requires) : null,
        NotBefore = step.Optional(NotBefore) is { } from ? YamlReading.Moment(from, NotBefore) : null,
        Deadline = step.Optional(Deadline) is { } until ? YamlReading.Moment(until, Deadline) : null,
        Approvals = step.Optional(Approvals) is { } people ? YamlReading.Number(people, Approvals, 1, Approval.VotesNeededMax) : null,
    };

    private static List<string> ReadRequires(YamlNode node) => node is YamlSequenceNode list
        ? [.. list.Children.Select(one => YamlReading.Text(one, Requires))]
        : [YamlReading.Text(node, Requires)];

    private static RetryDelays ReadDelays(YamlNode node)
    {
        var delays = YamlReading.Mapping(node, $"'{Retry}'", [RetryMin, RetryMax, RetryFactor]);
        var read = new RetryDelays(
            YamlReading.Decimal(delays.Required(RetryMin), RetryMin, 0, SecondsMax), YamlReading.Decimal(delays.Required(RetryMax), RetryMax, 0, SecondsMax));
        return delays.Optional(RetryFactor) is { } factor ? read with { Factor = YamlReading.Decimal(factor, RetryFactor, 1, SecondsMax) } : read;
    }

    private static string Enumerate(IReadOnlyCollection<string> tools) =>
        tools.Count == 0 ? "none at all" : string.Join(", ", tools.Where(tool => tool.Contains('@')).Order(StringComparer.Ordinal));
}
