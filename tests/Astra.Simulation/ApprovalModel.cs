using System.Globalization;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

/// <summary>Who has agreed to what a task is, as the log tells it: votes are held to the work itself and not to its digest.</summary>
internal sealed class ApprovalModel(int needed, string work, string askedBy)
{
    private readonly Dictionary<string, string> _votes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _digests = new(StringComparer.Ordinal);

    private string _work = work;
    private string _askedBy = askedBy;

    public int Needed { get; private set; } = needed;
    public bool IsGranted => _votes.Values.Count(voted => voted == _work) >= Needed;

    public static string WorkOf(TaskSpec spec) => string.Create(CultureInfo.InvariantCulture, $"{spec.Executor}\n{spec.Kind}\n{Convert.ToHexString(spec.Input.Span)}");

    /// <summary>The task is something else from here on, or another one asks for it.</summary>
    public void Change(int votesNeeded, string becomes, string by) => (Needed, _work, _askedBy) = (votesNeeded, becomes, by);

    public void Take(Verdict verdict, GoalModel goal, TaskModel task, KernelEvent.ApprovalVoted vote)
    {
        verdict.Check(task.State == TaskState.Pending && !IsGranted, $"{vote.By} votes on task {task.Name} ({task.State}), where nobody is asked.");
        verdict.Check(vote.By != goal.SubmittedBy && vote.By != _askedBy, $"{vote.By} votes on task {task.Name} and has asked for it.");
        var known = _digests.TryAdd(vote.Digest, _work) ? _work : _digests[vote.Digest];
        verdict.Check(known == _work, $"{vote.By} votes on task {task.Name} as it was before it was changed.");
        if (!vote.IsFor)
            return;
        foreach (var before in _votes.Where(voted => voted.Value != _work).Select(voted => voted.Key).ToList())
            _votes.Remove(before);
        verdict.Check(_votes.TryAdd(vote.By, _work), $"{vote.By} votes on task {task.Name} twice.");
    }
}
