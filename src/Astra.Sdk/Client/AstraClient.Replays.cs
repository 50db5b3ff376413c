namespace Astra.Sdk;

// Goals once more.
public sealed partial class AstraClient
{
    public Task<ReplayView> ReplayGoalAsync(Guid id, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ReplayView>(HttpMethod.Post, $"goals/{id}/replay", null, cancellationToken);

    public Task<GoalView> ForkGoalAsync(Guid id, string at, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<GoalView>(HttpMethod.Post, $"goals/{id}/fork", new ForkRequest(at), cancellationToken);
}
