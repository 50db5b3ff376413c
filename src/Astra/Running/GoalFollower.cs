using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Running;

/// <summary>Follows a goal to its end and shows it. Interrupted, it cancels the goal, so that Ctrl-C leaves nothing running.</summary>
public sealed class GoalFollower(IAstraClient client, IGoalDisplay display, TimeProvider clock)
{
    // Redrawing ten times a second looks continuous; more often only costs.
    private static readonly TimeSpan RefreshPeriod = TimeSpan.FromMilliseconds(100);

    // Long enough for running steps to be told and the end to be committed, short enough not to feel ignored.
    private static readonly TimeSpan CancelTimeMax = TimeSpan.FromSeconds(10);

    /// <returns>The goal as it ended.</returns>
    /// <exception cref="OperationCanceledException">Interrupted; the goal is cancelled, or the server could not be told.</exception>
    public async Task<GoalView> FollowAsync(GoalView goal, CancellationToken cancellationToken)
    {
        try
        {
            return await FollowToItsEndAsync(goal, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await CancelAsync(goal.Id);
            throw;
        }
    }

    private async Task<GoalView> FollowToItsEndAsync(GoalView goal, CancellationToken cancellationToken)
    {
        // The goal before the plan: the plan is then at least as new as the number the events are asked from.
        goal = await client.GetGoalAsync(goal.Id, cancellationToken);
        var progress = new GoalProgress(goal, await client.GetPlanAsync(goal.Id, cancellationToken), clock.GetUtcNow());
        await display.ShowAsync(progress, async refresh =>
        {
            while (goal.State is GoalState.Active)
            {
                await FollowEventsAsync(progress, refresh, cancellationToken);
                goal = await client.GetGoalAsync(goal.Id, cancellationToken);
                // The events ended before the goal did: the server let go of us. Not at once again, or we would hammer it.
                if (goal.State is GoalState.Active)
                    await Task.Delay(RefreshPeriod, clock, cancellationToken);
            }
        });
        return goal;
    }

    private async Task FollowEventsAsync(GoalProgress progress, Action refresh, CancellationToken cancellationToken)
    {
        await using var events = client.FollowAsync(progress.Goal.Id, progress.LastSeq, cancellationToken).GetAsyncEnumerator(cancellationToken);
        var next = events.MoveNextAsync().AsTask();
        while (true)
        {
            var pause = Task.Delay(RefreshPeriod, clock, cancellationToken);
            while (!pause.IsCompleted)
            {
                if (await Task.WhenAny(next, pause) != next)
                    break;
                if (!await next)
                    return;
                progress.Apply(events.Current);
                next = events.MoveNextAsync().AsTask();
            }

            // An iterator must not be disposed while it runs: a pause that was cancelled lets it see the same token first.
            if (cancellationToken.IsCancellationRequested)
            {
                await next;
                cancellationToken.ThrowIfCancellationRequested();
            }

            refresh();
        }
    }

    private async Task CancelAsync(Guid goal)
    {
        using var patience = new CancellationTokenSource(CancelTimeMax, clock);
        try
        {
            var view = await client.CancelGoalAsync(goal, "interrupted with Ctrl-C", patience.Token);
            while (view.State is GoalState.Active)
            {
                await Task.Delay(RefreshPeriod, clock, patience.Token);
                view = await client.GetGoalAsync(goal, patience.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or AstraException or System.Net.Http.HttpRequestException)
        {
            throw new CommandException(
                $"Interrupted, but the server did not confirm that goal {goal} is cancelled; `astra goal show {goal}` says where it stands.",
                Commands.ExitCodes.Interrupted,
                e);
        }
    }
}
