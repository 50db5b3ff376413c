using Astra.Sdk;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>A plan file is wrong. The message is one sentence that begins with the line.</summary>
public sealed class PlanFileException(long line, string sentence) : Exception($"Line {line}: {sentence}")
{
    public long Line { get; } = line;
}

/// <summary>
/// A plan in YAML: a title, and steps with a name, a tool or an agent, an input, what they wait for, and how often they
/// are retried. A reader who has never seen one should be able to guess what it does.
/// </summary>
public static class PlanFile
{
    private const int CharactersMax = 4 << 20;

    /// <param name="knownTools">`name` and `name@version` of every tool there is; null leaves that to the server.</param>
    /// <exception cref="PlanFileException">The file is wrong.</exception>
    public static GoalSubmission Parse(string yaml, IReadOnlyCollection<string>? knownTools = null)
    {
        if (yaml.Length > CharactersMax)
            throw new PlanFileException(1, $"A plan file has at most {CharactersMax >> 20} million characters.");
        var root = YamlReading.Mapping(YamlReading.Load(yaml), "A plan file", ["title", "priority", "onDeadTask", "steps"]);
        var steps = ReadSteps(root.Required("steps"), knownTools);
        if (steps.Count == 0)
            throw new PlanFileException(root.Required("steps").Start.Line, "A plan has at least one step.");
        CheckNames(steps);
        CheckCycles(steps);
        return new GoalSubmission
        {
            Title = root.Optional("title") is { } title ? YamlReading.Text(title, "title") : null,
            Priority = root.Optional("priority") is { } priority ? YamlReading.Number(priority, "priority", -100, 100) : 0,
            OnDeadTask = (root.Optional("onDeadTask") is { } policy ? YamlReading.Choice(policy, "onDeadTask", ["doom", "wait", "skip"]) : "doom") switch
            {
                "wait" => DeadTaskPolicy.Wait,
                "skip" => DeadTaskPolicy.Skip,
                _ => DeadTaskPolicy.Doom,
            },
            Plan = [.. steps.Select(step => step.Step)],
        };
    }

    private static List<PlanFileStep> ReadSteps(YamlNode node, IReadOnlyCollection<string>? knownTools)
    {
        var steps = new List<PlanFileStep>();
        var fanOuts = new List<PlanFileFanOut>();
        foreach (var entry in YamlReading.List(node, "steps"))
        {
            if (PlanFileFanOut.IsOne(entry))
                fanOuts.Add(PlanFileFanOut.Read(entry, part => ReadStep(part, knownTools).Step));
            else
                steps.Add(ReadStep(entry, knownTools));
        }
        foreach (var fanOut in fanOuts)
            Attach(steps, fanOut);
        return steps;
    }

    /// <summary>A fan-out belongs to the step whose output it takes apart, and its join also waits for that step: until it has
    /// completed nobody knows the parts.</summary>
    private static void Attach(List<PlanFileStep> steps, PlanFileFanOut fanOut)
    {
        var over = steps.FindIndex(step => step.Step.Name == fanOut.Over);
        if (over < 0)
            throw new PlanFileException(fanOut.Line, $"'{fanOut.FanOut.Step.Name}' fans out over '{fanOut.Over}', and there is no such step.");
        if (steps.Exists(step => step.Step.Name == fanOut.FanOut.Step.Name))
            throw new PlanFileException(fanOut.Line, $"There is a step '{fanOut.FanOut.Step.Name}' already; names are unique.");
        steps[over] = steps[over] with { Step = steps[over].Step with { FanOut = [.. steps[over].Step.FanOut ?? [], fanOut.FanOut] } };
        if (fanOut.FanOut.Join is not { } name)
            return;
        var join = steps.FindIndex(step => step.Step.Name == name);
        if (join < 0)
            throw new PlanFileException(fanOut.Line, $"'{fanOut.FanOut.Step.Name}' joins in '{name}', and there is no such step.");
        if (join == over)
            throw new PlanFileException(fanOut.Line, $"'{name}' cannot join what it fans out into itself.");
        if (steps[join].After.Any(after => after.Dependency.Step == fanOut.Over))
            return;
        var waits = new StepDependency(fanOut.Over, OnlyCompleted: true);
        steps[join] = steps[join] with
        {
            Step = steps[join].Step with { After = [.. steps[join].Step.After, waits] }, After = [.. steps[join].After, new PlanFileDependency(waits, fanOut.Line)],
        };
    }

    private static PlanFileStep ReadStep(YamlNode node, IReadOnlyCollection<string>? knownTools)
    {
        var step = YamlReading.Mapping(node, "A step", PlanFileStepKeys.All);
        var name = YamlReading.Text(step.Required(PlanFileStepKeys.Name), PlanFileStepKeys.Name);
        var after = step.Optional(PlanFileStepKeys.After) is { } waits ? ReadAfter(waits) : [];
        return new PlanFileStep(
            PlanFileStepKeys.ReadOptions(step, new AddStep
            {
                Name = name,
                Executor = PlanFileStepKeys.ReadExecutor(step, knownTools),
                Input = step.Optional(PlanFileStepKeys.Input) is { } input ? YamlReading.ToJson(input) : null,
                After = [.. after.Select(one => one.Dependency)],
            }),
            step.Required(PlanFileStepKeys.Name).Start.Line,
            after);
    }

    private static List<PlanFileDependency> ReadAfter(YamlNode node) => node is YamlSequenceNode list
        ? [.. list.Children.Select(ReadDependency)]
        : [ReadDependency(node)];

    private static PlanFileDependency ReadDependency(YamlNode node)
    {
        if (node is YamlScalarNode)
            return new PlanFileDependency(new StepDependency(YamlReading.Text(node, "after"), OnlyCompleted: true), node.Start.Line);
        var waiting = YamlReading.Mapping(node, "What a step waits for", ["step", "when"]);
        var when = waiting.Optional("when") is { } word ? YamlReading.Text(word, "when") : StepDependency.CompletedWord;
        var step = YamlReading.Text(waiting.Required("step"), "step");
        return new PlanFileDependency(when switch
        {
            StepDependency.CompletedWord => new StepDependency(step, OnlyCompleted: true),
            StepDependency.EndedWord => new StepDependency(step, OnlyCompleted: false),
            StepDependency.PassedWord => new StepDependency(step, OnlyCompleted: false, when),
            _ => new StepDependency(step, OnlyCompleted: true, when),
        }, node.Start.Line);
    }

    private static void CheckNames(IReadOnlyList<PlanFileStep> steps)
    {
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var step in steps)
            if (!lines.TryAdd(step.Step.Name, step.Line))
                throw new PlanFileException(step.Line, $"There is a step '{step.Step.Name}' on line {lines[step.Step.Name]} already; names are unique.");
        foreach (var step in steps)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var after in step.After)
            {
                if (!lines.ContainsKey(after.Dependency.Step))
                    throw new PlanFileException(after.Line, $"Step '{step.Step.Name}' waits for '{after.Dependency.Step}', and there is no such step.");
                if (!seen.Add(after.Dependency.Step))
                    throw new PlanFileException(after.Line, $"Step '{step.Step.Name}' waits for '{after.Dependency.Step}' twice; say it once.");
            }
        }
    }

    /// <summary>Takes away what waits for nothing that is left; what remains in the end waits for itself.</summary>
    private static void CheckCycles(IReadOnlyList<PlanFileStep> steps)
    {
        var open = steps.ToDictionary(step => step.Step.Name, step => step.After.Count, StringComparer.Ordinal);
        var dependents = steps.SelectMany(step => step.After, (step, after) => (On: after.Dependency.Step, step.Step.Name)).ToLookup(edge => edge.On, edge => edge.Name, StringComparer.Ordinal);
        var free = new Queue<string>(open.Where(step => step.Value == 0).Select(step => step.Key));
        while (free.TryDequeue(out var name))
        {
            open.Remove(name);
            foreach (var dependent in dependents[name])
                if (--open[dependent] == 0)
                    free.Enqueue(dependent);
        }
        if (open.Count == 0)
            return;

        // Each of what is left waits for something that is left. Following that must come round.
        var byName = steps.ToDictionary(step => step.Step.Name, StringComparer.Ordinal);
        var path = new List<string> { steps.First(step => open.ContainsKey(step.Step.Name)).Step.Name };
        while (true)
        {
            var next = byName[path[^1]].After.First(after => open.ContainsKey(after.Dependency.Step)).Dependency.Step;
            if (path.IndexOf(next) is var start and >= 0)
                throw new PlanFileException(byName[next].Line, $"These steps wait for each other: {string.Join(" → ", path.Skip(start).Append(next))}.");
            path.Add(next);
        }
    }

    private sealed record PlanFileStep(AddStep Step, long Line, IReadOnlyList<PlanFileDependency> After);

    private sealed record PlanFileDependency(StepDependency Dependency, long Line);
}
