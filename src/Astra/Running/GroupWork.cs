using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Running;

/// <param name="Done">How many were replayed or discarded, the canary included.</param>
/// <param name="Skipped">How many the server would not; it said why on the way.</param>
/// <param name="Stopped">Why the group was left alone, or null.</param>
public sealed record GroupOutcome(int Done, int Skipped, Guid? Canary, string? Stopped);

/// <summary>
/// Replays or discards the dead letters of one cause. What is done is no dead letter any more, so the same command after
/// a crash goes on with the rest; what has died anew since it began is left for the next time.
/// </summary>
public sealed class GroupWork(IAstraClient client, Action<string> say, TimeProvider machine)
{
    private const int PageSize = 200;
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(250);

    public async Task<GroupOutcome> ReplayAsync(string group, bool withCanary, int countMax, CancellationToken cancellationToken)
    {
        var began = machine.GetUtcNow();
        if (!withCanary)
            return await EachAsync(group, began, countMax, null, client.ReplayAsync, cancellationToken);

        var first = await client.ListDeadLettersAsync(limit: 1, group: group, cancellationToken: cancellationToken);
        if (first.Items is not [var canary, ..])
            return new GroupOutcome(0, 0, null, null);
        var id = canary.Task.Id;
        say($"The canary is {canary.Task.Name} of {canary.GoalTitle} ({id}).");
        var end = await RunCanaryAsync(id, cancellationToken);
        if (end.State != TaskState.Completed)
            return new GroupOutcome(1, 0, id, $"The canary {id} did not complete ({end.Failure?.Reason ?? end.State.ToString().ToLowerInvariant()}); the rest of the group was left alone.");
        say("The canary completed.");
        return countMax == 1 ? new GroupOutcome(1, 0, id, null) : await EachAsync(group, began, countMax - 1, id, client.ReplayAsync, cancellationToken);
    }

    public Task<GroupOutcome> DiscardAsync(string group, string reason, CancellationToken cancellationToken) =>
        EachAsync(group, machine.GetUtcNow(), int.MaxValue, null, (task, token) => client.DiscardAsync(task, reason, token), cancellationToken);

    private async Task<TaskView> RunCanaryAsync(Guid id, CancellationToken cancellationToken)
    {
        var task = await client.ReplayAsync(id, cancellationToken);
        while (task.State is not (TaskState.Completed or TaskState.Dead or TaskState.Cancelled) && task.Effect?.State != EffectState.Unknown)
        {
            await Task.Delay(LookPeriod, machine, cancellationToken);
            task = await client.GetTaskAsync(id, cancellationToken);
        }
        return task;
    }

    private async Task<GroupOutcome> EachAsync(
        string group, DateTimeOffset began, int countMax, Guid? canary, Func<Guid, CancellationToken, Task<TaskView>> act, CancellationToken cancellationToken)
    {
        // The group's fingerprint stays when its last letter is gone; its short id is only known while it has some.
        var fingerprint = (await client.ListDeadGroupsAsync(cancellationToken)).FirstOrDefault(known => known.Id == group)?.Fingerprint ?? group;
        var (done, skipped) = (canary is null ? 0 : 1, 0);
        string? cursor = null;
        do
        {
            var page = await client.ListDeadLettersAsync(cursor, PageSize, fingerprint, cancellationToken);
            foreach (var dead in page.Items)
            {
                if (dead.Task.EndedAt > began)
                    continue;
                if (countMax-- <= 0)
                    return new GroupOutcome(done, skipped, canary, null);
                try
                {
                    await act(dead.Task.Id, cancellationToken);
                    done++;
                }
                catch (AstraException e) when (e.Status is 404 or 409 or 422)
                {
                    skipped++;
                    say($"{dead.Task.Name} ({dead.Task.Id}): {e.Message}");
                }
            }
            if (page.Items.Count > 0)
                say($"{done} so far.");
            cursor = page.Next;
        }
        while (cursor is not null);
        return new GroupOutcome(done, skipped, canary, null);
    }
}
