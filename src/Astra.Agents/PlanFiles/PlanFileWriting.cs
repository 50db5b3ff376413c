using System.Globalization;
using System.Text.Json;
using Astra.Sdk;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>Steps as a plan file says them. What a step does not say is what it would be anyway.</summary>
internal static class PlanFileWriting
{
    private const string DocumentEnd = "...";

    private static readonly AddStep Default = new() { Name = "", Executor = "" };

    public static string Write(IReadOnlyList<AddStep> steps)
    {
        var list = new YamlSequenceNode();
        foreach (var step in steps)
        {
            list.Add(ToNode(step, withName: true));
            foreach (var fanOut in step.FanOut ?? [])
                list.Add(ToNode(step.Name, fanOut));
        }
        var text = new StringWriter();
        new YamlStream(new YamlDocument(new YamlMappingNode { { "steps", list } })).Save(text, assignAnchors: false);
        var yaml = text.ToString().ReplaceLineEndings("\n").TrimEnd();
        return (yaml.EndsWith(DocumentEnd, StringComparison.Ordinal) ? yaml[..^DocumentEnd.Length].TrimEnd() : yaml) + "\n";
    }

    private static YamlMappingNode ToNode(AddStep step, bool withName)
    {
        var node = new YamlMappingNode();
        if (withName)
            node.Add(PlanFileStepKeys.Name, Word(step.Name));
        if (step.Executor.StartsWith(PlanFileStepKeys.AgentPrefix, StringComparison.Ordinal))
            node.Add(PlanFileStepKeys.Agent, Word(step.Executor[PlanFileStepKeys.AgentPrefix.Length..]));
        else
            node.Add(PlanFileStepKeys.Tool, Word(step.Executor[PlanFileStepKeys.ToolPrefix.Length..]));
        if (step.Kind.Length > 0)
            node.Add(PlanFileStepKeys.Kind, Word(step.Kind));
        if (step.Input is { } input)
            node.Add(PlanFileStepKeys.Input, ToNode(input));
        if (step.After.Count > 0)
            node.Add(PlanFileStepKeys.After, new YamlSequenceNode(step.After.Select(ToNode)) { Style = SequenceStyle.Flow });
        if (step.AttemptCountMax != Default.AttemptCountMax)
            node.Add(PlanFileStepKeys.Retries, Number(step.AttemptCountMax - 1));
        if (step.Priority != Default.Priority)
            node.Add(PlanFileStepKeys.Priority, Number(step.Priority));
        if (!step.LeaseSeconds.Equals(Default.LeaseSeconds))
            node.Add(PlanFileStepKeys.Lease, Number(step.LeaseSeconds));
        if (step.Retry is { } retry)
            node.Add(PlanFileStepKeys.Retry, new YamlMappingNode
            {
                { PlanFileStepKeys.RetryMin, Number(retry.MinSeconds) }, { PlanFileStepKeys.RetryMax, Number(retry.MaxSeconds) }, { PlanFileStepKeys.RetryFactor, Number(retry.Factor) },
            });
        if (step.WorkersLostMax is { } lost)
            node.Add(PlanFileStepKeys.WorkersLostMax, Number(lost));
        if (step.EffectKeys is { } keys)
            node.Add(PlanFileStepKeys.EffectKeys, Word(keys == EffectKeys.PerTask ? PlanFileStepKeys.PerTask : PlanFileStepKeys.PerAttempt));
        if (step.Queue is { } queue)
            node.Add(PlanFileStepKeys.Queue, Word(queue));
        if (step.Requires is { Count: > 0 } requires)
            node.Add(PlanFileStepKeys.Requires, new YamlSequenceNode(requires.Select(Word)) { Style = SequenceStyle.Flow });
        if (step.NotBefore is { } from)
            node.Add(PlanFileStepKeys.NotBefore, Moment(from));
        if (step.Deadline is { } until)
            node.Add(PlanFileStepKeys.Deadline, Moment(until));
        if (step.Approvals is { } people)
            node.Add(PlanFileStepKeys.Approvals, Number(people));
        return node;
    }

    private static YamlMappingNode ToNode(string over, FanOut fanOut)
    {
        var inner = new YamlMappingNode
        {
            { "over", Word(fanOut.Path is { } path ? $"{over}.output.{path}" : over) }, { "step", ToNode(fanOut.Step, withName: false) },
        };
        if (fanOut.Join is { } join)
            inner.Add("join", Word(join));
        return new YamlMappingNode { { PlanFileStepKeys.Name, Word(fanOut.Step.Name) }, { "fan_out", inner } };
    }

    private static YamlNode ToNode(StepDependency dependency)
    {
        var when = dependency.When ?? (dependency.OnlyCompleted ? StepDependency.CompletedWord : StepDependency.EndedWord);
        return when == StepDependency.CompletedWord
            ? Word(dependency.Step)
            : new YamlMappingNode { Style = MappingStyle.Flow, Children = { [new YamlScalarNode("step")] = Word(dependency.Step), [new YamlScalarNode("when")] = Word(when) } };
    }

    private static YamlNode ToNode(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => new YamlMappingNode(json.EnumerateObject().Select(member => KeyValuePair.Create<YamlNode, YamlNode>(Text(member.Name), ToNode(member.Value))))
        {
            Style = json.EnumerateObject().Any() ? MappingStyle.Block : MappingStyle.Flow,
        },
        JsonValueKind.Array => new YamlSequenceNode(json.EnumerateArray().Select(ToNode)) { Style = json.GetArrayLength() > 0 ? SequenceStyle.Block : SequenceStyle.Flow },
        JsonValueKind.String => Text(json.GetString()!),
        _ => new YamlScalarNode(json.GetRawText()) { Style = ScalarStyle.Plain },
    };

    private static YamlScalarNode Word(string word) => new(word);

    /// <summary>Quoted, so that it is read as a text again whatever it looks like; lines of a script stay lines.</summary>
    private static YamlScalarNode Text(string text) => new(text) { Style = IsLines(text) ? ScalarStyle.Literal : ScalarStyle.DoubleQuoted };

    private static bool IsLines(string text) =>
        text.Contains('\n') && !char.IsWhiteSpace(text[0]) && text.EndsWith('\n') && !text.EndsWith("\n\n", StringComparison.Ordinal)
        && text.All(letter => letter == '\n' || (!char.IsControl(letter) && !char.IsSurrogate(letter)));

    private static YamlScalarNode Moment(DateTimeOffset moment) => new(moment.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));

    private static YamlScalarNode Number(double number) => new(number.ToString("R", CultureInfo.InvariantCulture)) { Style = ScalarStyle.Plain };
}
