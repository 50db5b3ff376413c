using Astra.Kernel;

namespace Astra.Simulation;

/// <summary>
/// An agent of this world counts the messages it has taken, in a state that is saved before it answers. So no two answers
/// say the same number, and at the end the row has counted at least as far as anybody was told.
/// </summary>
internal sealed class AgentAudit(Verdict verdict)
{
    private readonly Dictionary<(TenantId Tenant, string Agent), HashSet<int>> _told = [];

    public void Answered(TenantId tenant, string agent, ReadOnlyMemory<byte> reply)
    {
        if (!_told.TryGetValue((tenant, agent), out var told))
            _told[(tenant, agent)] = told = [];
        verdict.Check(told.Add(BitConverter.ToInt32(reply.Span)), $"Agent {agent} has given two messages the number {BitConverter.ToInt32(reply.Span)}: a state that was saved is lost.");
    }

    public void CheckRow(TenantId tenant, string agent, AgentRow? row)
    {
        if (!_told.TryGetValue((tenant, agent), out var told))
            return;
        var saved = row is { State.Length: sizeof(int) } ? BitConverter.ToInt32(row.State.Span) : 0;
        verdict.Check(saved >= told.Max(), $"Agent {agent} has told somebody of message {told.Max()}, and its row has counted to {saved}.");
    }

    public IEnumerable<(TenantId Tenant, string Agent)> All => _told.Keys;
}
