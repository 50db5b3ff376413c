using System.Globalization;
using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using KernelGoalState = Astra.Kernel.Tasks.GoalState;

namespace Astra.Gateway;

/// <summary>A goal's history as pages of JSON, or as a stream that goes on until the goal ends.</summary>
internal sealed class EventEndpoints(KernelNode node, ProgressFeed progress, IApiKeyStore keys, GatewayOptions options, Replies replies, CancellationToken stopping)
{
    private const int LimitDefault = 500;

    // Shorter than what proxies between people and servers have patience for.
    private const int WaitSecondsMax = 60;

    public void Map(IEndpointRouteBuilder api) => api.MapGet("/goals/{id}/events", Read).WithTags("Goals").Produces<Page<EventView>>()
        .WithSummary("The goal's events after a sequence number. With Accept: text/event-stream, live until the goal ends; resumes by ?after= or Last-Event-ID. As JSON, ?wait= holds an empty answer back for up to that many seconds until something happens.");

    private async Task<IResult> Read(Guid id, long? after, int? limit, int? wait, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } problem)
            return problem;
        if (after < 0)
            return Problems.Of(StatusCodes.Status400BadRequest, "after is a sequence number, and those are not negative.");
        if (wait is < 0 or > WaitSecondsMax)
            return Problems.Of(StatusCodes.Status400BadRequest, $"wait is 0 to {WaitSecondsMax} seconds, not {wait}.");
        var goal = new GoalId(id);
        return http.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase)
            ? await StreamAsync(goal, after, http)
            : await PageAsync(goal, after ?? 0, limit ?? LimitDefault, TimeSpan.FromSeconds(wait ?? 0), http);
    }

    private async Task<IResult> PageAsync(GoalId goal, long after, int limit, TimeSpan wait, HttpContext http)
    {
        var tenant = http.Principal().Tenant;
        var names = new TaskNames();
        if (after > 0)
            await LearnNamesAsync(tenant, goal, names);
        if (wait > TimeSpan.Zero)
            await SomethingAfterAsync(tenant, goal, after, wait, http.RequestAborted);
        return await replies.Of(http, node.ReadEventsAsync(tenant, goal, after, limit), entries =>
        {
            foreach (var entry in entries)
                names.Learn(entry);
            var next = entries.Count == limit ? entries[^1].Seq.ToString(CultureInfo.InvariantCulture) : null;
            return Replies.Json(new Page<EventView>([.. entries.Select(entry => EventMapping.ToView(entry, names))], next));
        });
    }

    /// <summary>Until there is an event behind <paramref name="after"/>, the goal has ended, or the time is up.</summary>
    private async Task SomethingAfterAsync(TenantId tenant, GoalId goal, long after, TimeSpan wait, CancellationToken cancellationToken)
    {
        // Subscribed first: what is committed between the look and the wait is not missed.
        using var live = node.Subscribe(tenant, goal);
        if (await replies.Ask(node.GetGoalAsync(tenant, goal)) is not { IsOk: true } current
            || current.Value.LastSeq > after || current.Value.State != KernelGoalState.Active)
            return;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        patience.CancelAfter(wait);
        try
        {
            await live.Entries.WaitToReadAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The time is up, or the server stops: an empty page says as much.
        }
    }

    private async Task<IResult> StreamAsync(GoalId goal, long? after, HttpContext http)
    {
        // A browser that reconnects sends the id of the last event it saw, and repeats the address with its old `after`.
        var from = long.TryParse(http.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            ? Math.Max(last, after ?? 0) : after ?? 0;
        var tenant = http.Principal().Tenant;
        var current = await replies.Ask(node.GetGoalAsync(tenant, goal));
        if (current.Refusal is { } refusal)
            return replies.Of(refusal);
        // 204 is what tells a browser's EventSource that there is no point in coming back.
        if (current.Value.State != KernelGoalState.Active && current.Value.LastSeq <= from)
            return Results.NoContent();
        var names = new TaskNames();
        if (from > 0)
            await LearnNamesAsync(tenant, goal, names);
        return new EventStreamResult(new GoalEvents(node, tenant, goal, from, names), progress, keys, options, stopping);
    }

    private async ValueTask LearnNamesAsync(TenantId tenant, GoalId goal, TaskNames names)
    {
        if (await replies.Ask(node.GetPlanAsync(tenant, goal)) is { IsOk: true } plan)
            names.Learn(WireMapping.NamesOf(plan.Value));
    }
}

/// <summary>A goal's events in order and each once: the history, then what is committed from now on.</summary>
internal sealed class GoalEvents(KernelNode node, TenantId tenant, GoalId goal, long after, TaskNames names)
{
    private const int PageSize = 500;

    private long _lastSeq = after;
    private bool _hasEnded;

    public TenantId Tenant => tenant;
    public GoalId Goal => goal;
    public long LastSeq => _lastSeq;

    public async IAsyncEnumerable<EventView> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (!_hasEnded)
        {
            // Subscribed before the history is read: what is committed in between is in both, and dropped once.
            using var live = node.Subscribe(tenant, goal);
            IReadOnlyList<JournalEntry> page;
            do
            {
                var answer = await node.ReadEventsAsync(tenant, goal, _lastSeq, PageSize);
                if (answer.Refusal is not null)
                    yield break;
                page = answer.Value;
                foreach (var entry in page)
                    yield return Take(entry);
            }
            while (page.Count == PageSize);

            // An end in the middle of the history was followed by a redrive; only the last word counts.
            if (_hasEnded)
                yield break;
            await foreach (var entry in live.Entries.ReadAllAsync(cancellationToken))
            {
                if (entry.Seq <= _lastSeq)
                    continue;
                yield return Take(entry);
                if (_hasEnded)
                    yield break;
            }
            // Too slow for the buffer, or the shard moves: the history fills the gap, or says that it is elsewhere.
        }
    }

    private EventView Take(JournalEntry entry)
    {
        _lastSeq = entry.Seq;
        if (EventMapping.EndsGoal(entry.Kind))
            _hasEnded = true;
        else if (entry.Kind == EventKind.GoalReopened)
            _hasEnded = false;
        names.Learn(entry);
        return EventMapping.ToView(entry, names);
    }
}
