using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra approvals ...`: what waits for people to agree to it. A vote is for exactly what was looked at, which the
/// digest names, and never for what it has become meanwhile.</summary>
public static class ApprovalCommands
{
    // 32 bits: nobody types fewer by accident and hits another step, and `show` prints more than that to paste.
    private const int DigestLengthMin = 8;

    // SHA-256 in hexadecimal.
    private const int DigestLengthMax = 64;

    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("approvals", "See what waits for people to agree to it, and vote. Whoever has asked for it has no vote.")
        {
            CreateList(surroundings, shared), CreateShow(surroundings, shared), CreateApprove(surroundings, shared), CreateDeny(surroundings, shared),
        }.WithExamples("approvals list", "approvals show ID", "approvals approve ID --digest 3f9a01c2d4e5", "approvals deny ID --reason 'not on a Friday'");

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var page = new PageOptions();
        var json = SharedOptions.Json();
        var command = new Command("list", "List the tasks that wait for votes, the newest first.") { page.Limit, page.Cursor, json };
        command.WithExamples("approvals list", "approvals list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var asked = await session.Client.ListApprovalsAsync(parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, asked);
            else
                ApprovalViews.WriteList(surroundings.Terminal, asked);
        });
        return command;
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task that asks for approval.");
        var json = SharedOptions.Json();
        var command = new Command("show", "Show what a task would do, who has asked for it and who has agreed, and how to vote.") { id, json };
        command.WithExamples("approvals show ID", "approvals show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var (task, approval) = await AskedAsync(session.Client, parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, task);
                return;
            }

            ApprovalViews.WriteAsked(surroundings.Terminal, task, approval, await session.Client.GetGoalAsync(task.GoalId, cancellationToken));
            if (ApprovalViews.Waits(task, approval))
                ApprovalViews.WriteWaysToVote(surroundings.Terminal.Out, task, approval, verb => shared.Again(parsed, surroundings, verb));
        });
        return command;
    }

    private static Command CreateApprove(Surroundings surroundings, SharedOptions shared)
    {
        var digest = Digest("What you looked at, as `approvals show` prints it: the digest, or its beginning.");
        digest.Required = true;
        return CreateVote(
            surroundings, shared, new Command("approve", "Agree to what a task is, as you have seen it. It runs when as many people as it asks for have agreed.") { digest }, digest,
            VoteKind.Approve,
            task => task.Approval is { } approval && approval.Given < approval.Needed ? $"Task {task.Id} has {ApprovalViews.Count(approval)} approvals." : $"Task {task.Id} is approved.",
            "approvals approve ID --digest 3f9a01c2d4e5", "approvals approve ID --digest 3f9a01c2d4e5 --reason 'checked the address'");
    }

    private static Command CreateDeny(Surroundings surroundings, SharedOptions shared)
    {
        var digest = Digest("Deny only what you looked at; without this, whatever the task is now.");
        return CreateVote(
            surroundings, shared, new Command("deny", "Say no. One no is enough: the task is cancelled.") { digest }, digest,
            VoteKind.Deny,
            task => $"Task {task.Id} is denied and cancelled.",
            "approvals deny ID --reason 'not on a Friday'", "approvals deny ID --digest 3f9a01c2d4e5");
    }

    private static Command CreateVote(
        Surroundings surroundings, SharedOptions shared, Command command, Option<string?> digest, VoteKind kind, Func<TaskView, string> done, params string[] examples)
    {
        var id = SharedOptions.Id("The task that asks for approval.");
        var reason = new Option<string?>("--reason") { Description = "Why; kept with the vote.", HelpName = "TEXT" };
        var json = SharedOptions.Json();
        command.Arguments.Add(id);
        command.Options.Add(reason);
        command.Options.Add(json);
        command.WithExamples(examples);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var (asked, approval) = await AskedAsync(session.Client, parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(digest) is { } seen && !approval.Digest.StartsWith(seen, StringComparison.OrdinalIgnoreCase))
            {
                throw new CommandException(
                    $"Step {Tables.Printable(asked.Name)} is not what you looked at any more; look again with `{shared.Again(parsed, surroundings, $"approvals show {asked.Id}")}`.");
            }

            // All of the digest that was just compared: what changes between the two is refused by the server.
            var task = await session.Client.VoteAsync(asked.Id, new ApprovalVote(kind, approval.Digest, parsed.GetValue(reason)), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync(done(task));
        });
        return command;
    }

    private static Option<string?> Digest(string description)
    {
        var digest = new Option<string?>("--digest") { Description = description, HelpName = "DIGEST" };
        digest.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(token.Value.Length is >= DigestLengthMin and <= DigestLengthMax && token.Value.All(char.IsAsciiHexDigit)))
                result.AddError($"--digest takes {DigestLengthMin} to {DigestLengthMax} hexadecimal digits, as `approvals show` prints them, not '{token.Value}'");
        });
        return digest;
    }

    private static async Task<(TaskView Task, ApprovalView Approval)> AskedAsync(IAstraClient client, Guid id, CancellationToken cancellationToken)
    {
        var task = await client.GetTaskAsync(id, cancellationToken);
        return (task, task.Approval ?? throw new CommandException($"Task {Tables.Printable(task.Name)} asks for nobody's approval."));
    }
}
