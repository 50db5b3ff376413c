using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>A goal as it was: the log read again up to the edit after the one that is asked for.</summary>
internal static class PlanHistory
{
    private const int EntriesPerPage = 5_000;

    /// <param name="readAfter">Entries of the goal behind a sequence number, at most so many.</param>
    public static async ValueTask<Answer<GoalSnapshot>> AtAsync(long revision, Func<long, int, ValueTask<Answer<IReadOnlyList<JournalEntry>>>> readAfter)
    {
        Goal? goal = null;
        for (long last = 0; ;)
        {
            var page = await readAfter(last, EntriesPerPage);
            if (page.Refusal is { } refusal)
                return refusal;
            foreach (var entry in page.Value)
            {
                last = entry.Seq;
                var kernelEvent = entry.Event;
                if (kernelEvent is KernelEvent.PlanEdited edited && edited.Revision > revision && goal is not null)
                    return revision < 1 ? NoRevision(goal.Revision, revision) : goal.ToSnapshot();
                if (kernelEvent is KernelEvent.GoalSubmitted submitted)
                    goal = Goal.Begin(entry, submitted);
                else if (goal is null)
                    return new Refusal(RefusalKind.NotFound, "The beginning of this goal's history is not kept any more, so earlier revisions of its plan are gone.");
                else
                    goal.Apply(entry, kernelEvent);
            }
            if (page.Value.Count == EntriesPerPage)
                continue;
            return goal is null || goal.Revision != revision ? NoRevision(goal?.Revision ?? 0, revision) : goal.ToSnapshot();
        }
    }

    private static Refusal NoRevision(long latest, long revision) =>
        new(RefusalKind.NotFound, $"There is no revision {revision} of this plan; the first is 1 and the latest {Math.Max(1, latest)}.");
}
