using System.Text.Json;
using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// One agent, and whatever is registered beside it.
public sealed partial class FakeServer
{
    public Task<Page<AgentView>> ListAgentsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) =>
        Called($"agents {cursor} {limit}", new Page<AgentView>([Auditor], null));

    public Task<AgentView> GetAgentAsync(string agent, CancellationToken cancellationToken = default) =>
        agent == _profiled?.Name ? Task.FromResult(_profiled)
        : agent == Auditor.Name ? Task.FromResult(Auditor with { State = AstraJson.ToElement(new { count = 2 }) }) : throw new AstraException(404, "Not found", $"There is no agent {agent} here.");

    public Task<AgentView> RegisterAgentAsync(AgentRegistration registration, CancellationToken cancellationToken = default) =>
        Called($"register {registration.Name} {registration.Class} {registration.IdleSeconds} {registration.Description}", Auditor with { Name = registration.Name, Class = registration.Class ?? registration.Name });

    public Task<AgentView> SetProfileAsync(AgentProfile profile, CancellationToken cancellationToken = default) =>
        Called($"profile {profile.Name}", _profiled = Auditor with { Name = profile.Name, Class = AgentProfile.Class, Profile = profile });

    public Task RemoveAgentAsync(string agent, CancellationToken cancellationToken = default)
    {
        Calls.Add($"remove {agent}");
        return Task.CompletedTask;
    }

    public Task<JsonElement?> SendAsync(string agent, JsonElement message, CancellationToken cancellationToken = default) =>
        Called<JsonElement?>($"send {agent} {message.GetRawText()}", message.ValueKind == JsonValueKind.Null ? null : message);

    private AgentView? _profiled;

    private static readonly AgentView Auditor = new()
    {
        Name = "auditor", Class = "auditor", Description = "Audits [packages].", RegisteredAt = DateTimeOffset.UnixEpoch, WorkerCount = 1, StateVersion = 3,
        StateSavedAt = DateTimeOffset.UnixEpoch,
    };
}
