using System.Text.RegularExpressions;
using Astra.Sdk;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>
/// A plan as a file that somebody edits. Only what they changed counts: a step that reads as it was written is the step it
/// was written from, to the last byte, although a file cannot say everything that a step may be.
/// </summary>
public sealed class PlanFileEdit
{
    private readonly Dictionary<string, AddStep> _original;
    private readonly Dictionary<string, AddStep> _written;

    /// <exception cref="PlanFileException">The plan cannot be said as a file.</exception>
    public PlanFileEdit(IReadOnlyList<AddStep> steps)
    {
        Text = PlanFileWriting.Write(steps);
        _original = steps.ToDictionary(step => step.Name, StringComparer.Ordinal);
        _written = Steps(Text).ToDictionary(step => step.Name, StringComparer.Ordinal);
    }

    public string Text { get; }

    /// <exception cref="PlanFileException">What they wrote is no plan file.</exception>
    public IReadOnlyList<AddStep> Read(string edited) => [.. Steps(edited).Select(step => Unchanged(step, edited))];

    /// <summary>The line of the step that a sentence names; null when it names none that is there.</summary>
    public static long? LineOf(string edited, string sentence)
    {
        foreach (var (name, line) in Lines(edited).OrderByDescending(step => step.Name.Length))
            if (Regex.IsMatch(sentence, $@"(?<![\w/-]){Regex.Escape(name)}(?![\w/-])", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)))
                return line;
        return null;
    }

    private AddStep Unchanged(AddStep read, string edited)
    {
        if (!_original.TryGetValue(read.Name, out var original) || !_written.TryGetValue(read.Name, out var written))
            return read;
        if (IsSame(read, written))
            return original;
        var hasSameParts = IsSame(read.FanOut, written.FanOut);
        if (!hasSameParts && (original.FanOut ?? []).Any(part => part.Step.FanOut is { Count: > 0 }))
            throw new PlanFileException(
                LineOf(edited, read.Name) ?? 1, $"What the parts of '{read.Name}' fan out into themselves cannot be said in a file; change it with `plan edit --edits`.");
        // From the original, so that what a file has no words for stays, too.
        return original with
        {
            Executor = read.Executor,
            Kind = read.Kind,
            Input = IsSame(read.Input, written.Input) ? original.Input : read.Input,
            After = read.After,
            Priority = read.Priority,
            AttemptCountMax = read.AttemptCountMax,
            LeaseSeconds = read.LeaseSeconds,
            FanOut = hasSameParts ? original.FanOut : read.FanOut,
            Retry = read.Retry,
            WorkersLostMax = read.WorkersLostMax,
            EffectKeys = read.EffectKeys,
            Queue = read.Queue,
            Requires = read.Requires,
            NotBefore = read.NotBefore,
            Deadline = read.Deadline,
            Approvals = read.Approvals,
        };
    }

    private static IEnumerable<AddStep> Steps(string yaml) => PlanFile.Parse(yaml).Plan!.OfType<AddStep>();

    private static IEnumerable<(string Name, long Line)> Lines(string yaml) =>
        from entry in ((YamlReading.Load(yaml) as YamlMappingNode)?.Children[new YamlScalarNode("steps")] as YamlSequenceNode)?.Children ?? []
        let name = (entry as YamlMappingNode)?.Children.FirstOrDefault(pair => pair.Key is YamlScalarNode { Value: PlanFileStepKeys.Name }).Value as YamlScalarNode
        where name?.Value is { Length: > 0 }
        select (name.Value!, name.Start.Line);

    private static bool IsSame<T>(T one, T other) => AstraJson.Write(one).AsSpan().SequenceEqual(AstraJson.Write(other));
}
