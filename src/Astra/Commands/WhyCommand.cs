using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra why ID`: one true sentence, and what it rests on.</summary>
public static class WhyCommand
{
    private const string AgentPrefix = "agent:";

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var what = new Argument<string>("ID") { Description = "A goal, a step, a schedule or a worker by its id, or agent:NAME." };
        what.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !token.Value.StartsWith(AgentPrefix, StringComparison.Ordinal) && !Guid.TryParse(token.Value, out _))
                result.AddError($"'{token.Value}' is not an id; `goal list` and `dead list` print ids that can be pasted, and an agent is agent:NAME");
        });
        var json = SharedOptions.Json();
        var command = new Command("why", "Say why a goal, a step, a schedule, a worker or an agent is where it is.") { what, json };
        command.WithExamples("why ID", "why agent:auditor", "why ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var asked = parsed.GetValue(what)!;
            var why = asked.StartsWith(AgentPrefix, StringComparison.Ordinal)
                ? await session.Client.WhyAgentAsync(asked[AgentPrefix.Length..], cancellationToken)
                : await session.Client.WhyAsync(Guid.Parse(asked), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, why);
            else
                GoalViews.WriteWhy(surroundings.Terminal.Out, why);
        });
        return command;
    }
}
