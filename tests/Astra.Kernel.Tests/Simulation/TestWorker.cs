using System.Text;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>A worker that does what a test tells it, and nothing by itself unless it is told to.</summary>
internal sealed class TestWorker : IWorker
{
    private readonly TestNode _node;
    private readonly List<Assignment> _held = [];

    public TestWorker(TestNode node, int slots, TenantId? tenant, bool isInProcess, IReadOnlyCollection<string> executors, IReadOnlyCollection<string> capabilities)
    {
        _node = node;
        Link = node.Kernel.Connect(new WorkerOffer("worker", tenant, executors, slots, isInProcess) { Capabilities = capabilities }, this);
    }

    public WorkerLink Link { get; }

    /// <summary>The names of the tasks it was given, in order, each time anew.</summary>
    public List<string> Given { get; } = [];

    public List<string> Revoked { get; } = [];

    /// <summary>It says nothing any more that a test does not have it say.</summary>
    public bool IsHung { get; set; }

    /// <summary>What it is working on.</summary>
    public IReadOnlyList<string> Holds => [.. _held.Select(assignment => assignment.Spec.Name)];

    /// <summary>Completes what it is given, at once.</summary>
    public bool IsEager { get; private set; }

    public Assignment this[string name] => _held.Last(assignment => assignment.Spec.Name == name);

    public void Assign(Assignment assignment)
    {
        Given.Add(assignment.Spec.Name);
        _held.Add(assignment);
        if (IsEager)
            _node.Process.Post(() => CompleteSoon(assignment));
    }

    public void Revoke(TaskId task, int attempt, string reason)
    {
        Revoked.AddRange(_held.Where(assignment => assignment.Task == task && assignment.Attempt == attempt).Select(assignment => assignment.Spec.Name));
        _held.RemoveAll(assignment => assignment.Task == task && assignment.Attempt == attempt);
        // As every worker answers: it is still there.
        if (!IsHung)
            _node.Process.Post(Link.Heard);
    }

    /// <summary>From now on completes everything, what it holds included.</summary>
    public TestWorker CompleteAll()
    {
        IsEager = true;
        foreach (var assignment in _held.ToArray())
            _node.Process.Post(() => CompleteSoon(assignment));
        _node.Process.RunUntilQuiet();
        return this;
    }

    public Answer<TaskState> Complete(string name, params GraphEdit[] edits) => Complete(this[name], edits);

    public Answer<TaskState> Complete(Assignment assignment, params GraphEdit[] edits)
    {
        var answer = _node.Do(_ => Link.CompleteAsync(Attempt(assignment), Output(assignment), edits));
        if (answer.IsOk)
            _held.Remove(assignment);
        return answer;
    }

    /// <summary>Completes it with a word about itself.</summary>
    public Answer<TaskState> CompleteWith(string outcome, string name)
    {
        var assignment = this[name];
        var answer = _node.Do(_ => Link.CompleteAsync(Attempt(assignment), Output(assignment), [], outcome));
        if (answer.IsOk)
            _held.Remove(assignment);
        return answer;
    }

    /// <summary>Puts something in front of what it works on.</summary>
    public Answer<TaskState> Suspend(string name, string after, params GraphEdit[] edits)
    {
        var assignment = this[name];
        return _node.Do(_ => Link.SuspendAsync(Attempt(assignment), Steps.After(after), edits));
    }

    public Answer<TaskState> Fail(string name, FailureKind kind = FailureKind.Permanent, string reason = "no luck")
    {
        var assignment = this[name];
        var answer = _node.Do(_ => Link.FailAsync(Attempt(assignment), new Failure(kind, reason, "luck")));
        if (answer.IsOk)
            _held.Remove(assignment);
        return answer;
    }

    /// <summary>Submits a goal of another agent in the name of what it works on.</summary>
    public Answer<GoalId> Submit(string name, string child, GoalRequest request) => Submit(this[name], child, request);

    public Answer<GoalId> Submit(Assignment assignment, string child, GoalRequest request) =>
        _node.Do(_ => Link.SubmitGoalAsync(Attempt(assignment), child, request));

    /// <summary>Says that it still works on all it holds.</summary>
    /// <returns>The names of what it has lost.</returns>
    public IReadOnlyList<string> Heartbeat()
    {
        var lost = _node.Do(_ => Link.HeartbeatAsync([.. _held.Select(Attempt)]));
        return [.. _held.Where(assignment => lost.Contains(Attempt(assignment))).Select(assignment => assignment.Spec.Name)];
    }

    public void Disconnect() => _node.Do(async _ =>
    {
        await Link.DisposeAsync();
        return true;
    });

    public static AttemptId Attempt(Assignment assignment) => new(assignment.Task, assignment.Attempt);

    public static byte[] Output(Assignment assignment) => Encoding.UTF8.GetBytes($"{assignment.Spec.Name} done");

    private void CompleteSoon(Assignment assignment)
    {
        _held.Remove(assignment);
        _ = Link.CompleteAsync(Attempt(assignment), Output(assignment), []).AsTask();
    }
}
