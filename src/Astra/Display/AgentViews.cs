using System.Globalization;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>Agents as a person reads them.</summary>
public static class AgentViews
{
    public static void WriteAgents(Terminal terminal, Page<AgentView> page)
    {
        Tables.Write(
            terminal,
            ["Agent", "Class", "Workers", "What it does"],
            page.Items.Select(agent => (IReadOnlyList<string>)[agent.Name, agent.Class, Text(agent.WorkerCount), agent.Description]),
            "No agents are registered; a worker registers its own when it connects, and `agent create` makes one.");
        if (page.Next is { } next)
            terminal.Out.WriteLine($"... and more: --cursor {next}");
    }

    public static void WriteAgent(Terminal terminal, AgentView agent)
    {
        Tables.WriteFacts(
            terminal.Out,
            ("Agent", agent.Name),
            ("Class", agent.Class),
            ("Does", agent.Description.Length == 0 ? null : agent.Description),
            ("Workers", Text(agent.WorkerCount)),
            ("Sleeps", agent.IdleSeconds is { } idle ? $"after {Text(idle)} idle seconds" : null),
            ("Created", Words.At(agent.RegisteredAt)),
            ("State", agent.StateVersion == 0 ? "none yet" : $"version {agent.StateVersion}, saved {Words.At(agent.StateSavedAt)}"));
        if (agent.Profile is { } profile)
            WriteProfile(terminal, profile);
        if (agent.State is { } state)
            JsonOutput.Write(terminal.Out, state);
    }

    private static void WriteProfile(Terminal terminal, AgentProfile profile)
    {
        Tables.WriteFacts(
            terminal.Out,
            ("Model", profile.Model),
            ("Tools", profile.Tools.Count == 0 ? "none" : string.Join(", ", profile.Tools)),
            ("Documents", profile.Documents.Count == 0 ? null : string.Join(", ", profile.Documents.Select(document => document.Name))),
            ("Planner", profile.Planner == ProfilePlanner.Model ? $"the model, with up to {profile.Repairs} repairs" : null),
            ("Limits", string.Create(
                CultureInfo.InvariantCulture,
                $"{profile.Limits.Steps} questions, {profile.Limits.Tokens} tokens{(profile.Limits.Dollars is { } dollars ? $", ${dollars}" : "")}")));
        terminal.Out.WriteLine();
        // What could drive a terminal is left out.
        terminal.Out.WriteLine(string.Concat(profile.Prompt.Where(letter => letter == '\n' || !char.IsControl(letter))));
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}
