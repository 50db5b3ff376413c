using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;

namespace Astra.Agents.Replaying;

/// <summary>One step of a replay.</summary>
/// <param name="Key">Of everything that the step was given.</param>
/// <param name="Original">Of what it came to then; <paramref name="Replayed"/> of what it came to now.</param>
/// <param name="IsRunAgain">Its code ran; otherwise its recorded result was taken.</param>
public sealed record ReplayedStep(string Name, string Key, string Original, string? Replayed, bool IsRunAgain, string? Problem);

/// <summary>A replay and what it was compared with.</summary>
public sealed record ReplayOutcome(GoalId Goal, string OriginalHash, string ReplayHash, IReadOnlyList<ReplayedStep> Steps, IReadOnlyList<string> Problems)
{
    public bool IsSame => OriginalHash == ReplayHash && Problems.Count == 0;
}

/// <summary>
/// A goal that has ended, reproduced from what was recorded of it: the steps of agents in this process run again, with models and
/// tools answered from the tape; steps that are tools, and agents that live elsewhere, answer what they answered to the same
/// request. Nothing durable is changed, nobody is asked, and nothing is paid.
/// </summary>
public sealed class GoalReplay(AgentHost host, FileArtifacts artifacts, IGoalTapes tapes)
{
    public async ValueTask<Answer<ReplayOutcome>> RunAsync(GoalSnapshot source, CancellationToken cancellationToken)
    {
        if (source.Goal.State == Kernel.Tasks.GoalState.Active)
            return new Refusal(RefusalKind.Conflict, $"Goal {source.Goal.Id.Value} has not ended; only what has an end can be reproduced.");
        using var tape = await tapes.OpenAsync(source.Goal.Tenant, source.Goal.Id, cancellationToken);
        if (tape is null)
            return new Refusal(RefusalKind.Conflict, $"Goal {source.Goal.Id.Value} is being replayed already; wait for that to end.");
        var run = new Run(source, tape, host, new ReplayedArtifacts(artifacts, source.Goal.Tenant));
        await run.AllAsync(cancellationToken);
        if (tape.Missing.Count > 0 && source.Goal.EndedAt is { } ended && tapes.WhyForgotten(ended) is { } why)
            return new Refusal(RefusalKind.Conflict, $"Goal {source.Goal.Id.Value} cannot be replayed: {why}");
        return run.Outcome(tape.Missing);
    }

    private sealed class Run(GoalSnapshot source, IGoalTape tape, AgentHost host, IArtifactStore artifacts)
    {
        private readonly Dictionary<TaskId, TaskRow> _tasks = source.Tasks.ToDictionary(task => task.Id);
        private readonly string? _profile = ProfileAgent.PlannedWithOf(source.Tasks);
        private readonly Dictionary<TaskId, (byte[] Key, Result Result)> _original = [];
        private readonly Dictionary<TaskId, (byte[] Key, Result Result)> _replayed = [];
        private readonly List<ReplayedStep> _steps = [];
        private readonly List<string> _problems = [];

        /// <summary>What a step came to; of one that did not complete, that it did not.</summary>
        private sealed record Result(KernelTaskState State, ReadOnlyMemory<byte> Output, string? Outcome, string? Reason)
        {
            public byte[] Digest { get; } = DigestOf(
                [(byte)State], State == KernelTaskState.Completed ? CanonicalJson.BytesOf(AstraJson.Parse(Output.Span)) : [], Encoding.UTF8.GetBytes(Outcome ?? ""));
        }

        public async ValueTask AllAsync(CancellationToken cancellationToken)
        {
            foreach (var task in InOrder())
            {
                var was = new Result(task.State, task.Output, task.Spec.Extras.Outcome, task.Failure?.Reason ?? task.Reason);
                _original[task.Id] = (KeyOf(task, _original), was);
                var key = KeyOf(task, _replayed);
                var (result, isRunAgain, problem) = await StepAsync(task, was, key, cancellationToken);
                // What comes behind a step that could not be reproduced is shown what it was, so that one gap is told once.
                _replayed[task.Id] = (key, result ?? was);
                _steps.Add(new ReplayedStep(task.Spec.Name, Hex(key), Hex(was.Digest), result is null ? null : Hex(result.Digest), isRunAgain, problem));
                if (problem is not null)
                    _problems.Add($"Step {task.Spec.Name}: {problem}");
            }
        }

        public ReplayOutcome Outcome(IReadOnlyList<string> missing) =>
            new(source.Goal.Id, HashOf(_original, isWhole: true), HashOf(_replayed, _problems.Count == 0), _steps, [.. missing.Concat(_problems).Distinct()]);

        private async ValueTask<(Result? Result, bool IsRunAgain, string? Problem)> StepAsync(TaskRow task, Result was, byte[] key, CancellationToken cancellationToken)
        {
            if (was.State != KernelTaskState.Completed)
                return (was, false, null);
            // A step that submitted goals for others is not asked to do so again.
            var report = task.Spec.Extras.Delegations is { Count: > 0 } ? null
                : await host.RunAgainAsync(AssignmentOf(task), _profile, new ReplayedGate(tape, task.Id), artifacts, new NoEffects(), cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            return report switch
            {
                null when key.AsSpan().SequenceEqual(_original[task.Id].Key) => (was, false, null),
                null => (null, false, "it is given something else than it was then, and there is no recording of what it makes of that."),
                TaskReport.Completed done => Check(done) is { } problem
                    ? (null, true, problem)
                    : (new Result(KernelTaskState.Completed, WorkMapping.ToBytes(done.Output), done.Outcome, null), true, null),
                TaskReport.Failed failed => (null, true, $"it failed now: {failed.Reason}"),
                _ => (null, true, "it waits for something now that it did not wait for then."),
            };
        }

        /// <summary>The steps that it adds are those that it added then.</summary>
        private string? Check(TaskReport.Completed done)
        {
            foreach (var step in done.Edits.OfType<AddStep>())
            {
                var known = source.Tasks.FirstOrDefault(task => task.Spec.Name == step.Name);
                if (known is null)
                    return $"it adds a step {step.Name} now, which it did not then.";
                if (known.Spec.Executor != step.Executor || known.Spec.Kind != step.Kind
                    || !CanonicalJson.BytesOf(AstraJson.Parse(known.Spec.Input.Span)).AsSpan().SequenceEqual(CanonicalJson.BytesOf(step.Input ?? AstraJson.ToElement(null))))
                    return $"it adds the step {step.Name} with other work than then.";
            }
            return null;
        }

        /// <summary>Each after all that it waited for; steps that wait for nothing by their names, so that two replays are one.</summary>
        private IEnumerable<TaskRow> InOrder()
        {
            var left = source.Tasks.OrderBy(task => task.StartedAt ?? task.CreatedAt).ThenBy(task => task.Spec.Name, StringComparer.Ordinal).ToList();
            var done = new HashSet<TaskId>();
            while (left.Count > 0)
            {
                var next = left.First(task => task.After.All(dependency => done.Contains(dependency.On) || !_tasks.ContainsKey(dependency.On)));
                left.Remove(next);
                done.Add(next.Id);
                yield return next;
            }
        }

        private Assignment AssignmentOf(TaskRow task) => new()
        {
            Tenant = task.Tenant, Goal = task.Goal, Agent = source.Goal.Agent, SubmittedBy = source.Goal.SubmittedBy, Task = task.Id, Attempt = task.Attempt, Spec = task.Spec,
            GoalInput = source.Goal.Input, Now = task.StartedAt ?? task.CreatedAt,
            Dependencies = [.. Known(task).Select(on => new EndedDependency(_tasks[on].Spec.Name, _replayed[on].Result.State, _replayed[on].Result.Output, _replayed[on].Result.Reason))],
        };

        private IEnumerable<TaskId> Known(TaskRow task) => task.After.Select(dependency => dependency.On).Where(_tasks.ContainsKey);

        private byte[] KeyOf(TaskRow task, Dictionary<TaskId, (byte[] Key, Result Result)> world) => DigestOf(
        [
            Encoding.UTF8.GetBytes(task.Spec.Name), Encoding.UTF8.GetBytes(task.Spec.Executor), Encoding.UTF8.GetBytes(task.Spec.Kind),
            CanonicalJson.BytesOf(AstraJson.Parse(task.Spec.Input.Span)), CanonicalJson.BytesOf(AstraJson.Parse(source.Goal.Input.Span)),
            .. Known(task).OrderBy(on => _tasks[on].Spec.Name, StringComparer.Ordinal).SelectMany(on => (byte[][])[Encoding.UTF8.GetBytes(_tasks[on].Spec.Name), world[on].Result.Digest]),
        ]);

        /// <summary>Over what each step was given and what it came to: neither ids nor times are in it.</summary>
        private string HashOf(Dictionary<TaskId, (byte[] Key, Result Result)> world, bool isWhole) => Hex(DigestOf(
        [
            // A replay with a gap is not the goal, whatever the rest is.
            [(byte)(isWhole ? 1 : 0)],
            .. world.OrderBy(step => _tasks[step.Key].Spec.Name, StringComparer.Ordinal).SelectMany(step => (byte[][])[step.Value.Key, step.Value.Result.Digest]),
        ]));

        private static string Hex(byte[] digest) => Convert.ToHexStringLower(digest);
    }

    /// <summary>With their lengths, so that no parts make what others make.</summary>
    private static byte[] DigestOf(params byte[][] parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            hash.AppendData(BitConverter.GetBytes(part.Length));
            hash.AppendData(part);
        }
        return hash.GetHashAndReset();
    }
}
