using Astra.Kernel.Tasks;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>What a worker may say of itself in its first frame.</summary>
internal static class WorkerHello
{
    public const int SlotsMax = 1_000;
    private const int AgentsMax = 200;
    private const int NameLengthMax = 100;

    /// <returns>One sentence that says what is wrong; null when all is well.</returns>
    public static string? Refuse(WorkerFrame.Hello hello) =>
        hello.Name.Length is 0 or > NameLengthMax || !Words.IsPlain(hello.Name) ? $"A worker's name is one line of 1 to {NameLengthMax} characters."
        : hello.Slots is < 1 or > SlotsMax ? $"A worker has 1 to {SlotsMax} slots, not {hello.Slots}."
        : hello.Agents.Count is 0 or > AgentsMax ? $"A worker offers 1 to {AgentsMax} agents, not {hello.Agents.Count}."
        : hello.Capabilities is { } capabilities && Capabilities.Refuse(capabilities) is { } bad ? $"These are no capabilities: {bad}"
        : hello.Agents.Select(agent => agent is null ? "An agent has a name and a description." : AgentEndpoints.Refuse(agent)).FirstOrDefault(refusal => refusal is not null);
}
