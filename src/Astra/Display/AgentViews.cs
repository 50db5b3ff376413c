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
        if (agent.State is { } state)
            JsonOutput.Write(terminal.Out, state);
    }

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}
