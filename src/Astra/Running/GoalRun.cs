using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Running;

/// <summary>One command that runs a goal: submits it or finds it again, follows it, and remembers how far it came.</summary>
public sealed class GoalRun(Surroundings surroundings, ServerAccess access)
{
    /// <param name="submission">What to submit when there is nothing to resume.</param>
    /// <param name="command">What makes two command lines the same run.</param>
    /// <param name="fresh">Cancels what an interrupted run left, and starts anew.</param>
    /// <param name="outIsForTheResult">Progress goes to Error.</param>
    /// <param name="cancellationToken">Cancels the goal.</param>
    public async Task<GoalView> RunAsync(
        GoalSubmission submission, string[] command, bool fresh, bool outIsForTheResult, CancellationToken cancellationToken)
    {
        var terminal = surroundings.Terminal;
        var says = outIsForTheResult ? terminal.Error : terminal.Out;
        await using var session = await access.OpenAsync(cancellationToken);
        // Somebody else's run of the same command is another run.
        var record = RunRecord.Open(access.Data, access.Key is { } key ? [.. command, key.Path] : command);
        if (await FindUnfinishedAsync(session.Client, record, cancellationToken) is { } left)
        {
            if (!fresh)
            {
                await says.WriteLineAsync(left.State is GoalState.Active
                    ? $"Resuming goal {left.Id} where it was: {Words.Of(left.Tasks)}. (--fresh starts anew.)"
                    : $"Goal {left.Id} of the interrupted run has ended meanwhile; this is its result. (--fresh starts anew.)");
                return await FollowAsync(session.Client, record, left, outIsForTheResult, cancellationToken);
            }

            if (left.State is GoalState.Active)
            {
                await session.Client.CancelGoalAsync(left.Id, "a fresh run was asked for", cancellationToken);
                await says.WriteLineAsync($"Cancelled goal {left.Id} of the interrupted run.");
            }

            record.Ended();
        }

        var goal = await session.Client.SubmitAsync(submission, record.IdempotencyKey, cancellationToken);
        record.Began(goal.Id);
        await says.WriteLineAsync($"Goal {goal.Id}: {Tables.Printable(goal.Title)}");
        return await FollowAsync(session.Client, record, goal, outIsForTheResult, cancellationToken);
    }

    private async Task<GoalView> FollowAsync(
        IAstraClient client, RunRecord record, GoalView goal, bool outIsForTheResult, CancellationToken cancellationToken)
    {
        var display = IGoalDisplay.For(surroundings.Terminal, surroundings.Clock, outIsForTheResult);
        try
        {
            var ended = await new GoalFollower(client, display, surroundings.Clock).FollowAsync(goal, cancellationToken);
            record.Ended();
            return ended;
        }
        catch (OperationCanceledException)
        {
            record.Ended();
            throw new CommandException($"Interrupted; goal {goal.Id} is cancelled.", Commands.ExitCodes.Interrupted);
        }
    }

    private static async Task<GoalView?> FindUnfinishedAsync(IAstraClient client, RunRecord record, CancellationToken cancellationToken)
    {
        if (record.Goal is not { } id)
            return null;
        try
        {
            return await client.GetGoalAsync(id, cancellationToken);
        }
        catch (AstraException e) when (e.Status == 404)
        {
            // Another database than last time, or history that was dropped. The key of that run must not find it either.
            record.Ended();
            return null;
        }
    }
}
