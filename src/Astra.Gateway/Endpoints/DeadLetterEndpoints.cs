using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Astra.Tools.Catalog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using KernelEffectState = Astra.Kernel.Effects.EffectState;

namespace Astra.Gateway;

/// <summary>The desk for tasks that died, and the one for effects that nobody knows about.</summary>
internal sealed class DeadLetterEndpoints(KernelNode node, ToolCatalog catalog, Replies replies, TaskEndpoints tasks)
{
    private const int GroupsMax = 1_000;
    private const int RatesMax = 10_000;
    private const int RateHoursDefault = 24;
    private const int RateHoursMax = 168;
    private const string ToolPrefix = "tool:";

    public void Map(IEndpointRouteBuilder api)
    {
        var dead = api.MapGroup("/dead-letters").WithTags("Dead letters");
        dead.MapGet("", List).Produces<Page<DeadLetterView>>().WithSummary("Tasks that will not be tried again by themselves, all or those of one `group`.");
        dead.MapGet("/groups", (Delegate)Groups).Produces<IReadOnlyList<DeadGroupView>>().WithSummary("The same by cause, the latest first.");
        dead.MapGet("/rates", Rates).Produces<IReadOnlyList<DeathRateView>>().WithSummary("How many tasks were given up in each of the last `hours`, by kind and executor; a replay takes none of them back.");
        dead.MapGet("/{id}", GetStory).Produces<TaskStoryView>().WithSummary("One of them with every attempt; also after it was replayed.");
        dead.MapPost("/{id}/fix", Fix).Produces<TaskView>().WithSummary("Change its input or executor before replaying it.");
        dead.MapPost("/{id}/replay", Replay).Produces<TaskView>().WithSummary("Try it again, with fresh attempts.");
        dead.MapPost("/{id}/discard", Discard).Produces<TaskView>().WithSummary("Give it up, with the reason.");

        var effects = api.MapGroup("/effects").WithTags("Effects");
        effects.MapGet("", ListEffects).Produces<Page<UnknownEffectView>>().WithSummary("Tasks whose effect on the outside world nobody knows about.");
        effects.MapPost("/{id}/resolve", Resolve).Produces<TaskView>().WithSummary("Say what became of it: sent completes the task, notSent runs it again.");
    }

    private async Task<IResult> List(string? group, string? cursor, int? limit, HttpContext http)
    {
        if ((PageQuery.Refuse(limit) ?? PageQuery.Refuse(cursor, out _)) is { } bad)
            return bad;
        PageQuery.Refuse(cursor, out var after);
        var tenant = http.Principal().Tenant;
        var count = limit ?? PageQuery.LimitDefault;
        var fingerprint = await FingerprintOf(group, tenant);
        if (fingerprint.Refusal is { } unknown)
            return replies.Of(unknown);
        var asked = node.ListDeadTasksAsync(tenant, fingerprint.Value, after is { } id ? new TaskId(id) : null, count + 1);
        return await replies.Of(http, asked, rows => PageQuery.ToPage(rows, count, ToDeadLetter, row => row.Task.Id.Value));
    }

    private Task<IResult> Groups(HttpContext http) =>
        replies.Of(http, node.ListDeadGroupsAsync(http.Principal().Tenant, GroupsMax), groups => groups.Select(ToView).ToList());

    private Task<IResult> Rates(int? hours, HttpContext http) => hours is < 1 or > RateHoursMax
        ? Task.FromResult(Problems.Of(StatusCodes.Status422UnprocessableEntity, $"hours is a number from 1 to {RateHoursMax}; deaths are counted for a week."))
        : replies.Of(http, node.ListDeathRatesAsync(http.Principal().Tenant, hours ?? RateHoursDefault, RatesMax), rates => rates
            .Select(rate => new DeathRateView(rate.Hour, rate.Kind, rate.Executor, rate.Count)).ToList());

    private Task<IResult> GetStory(Guid id, HttpContext http) => replies.Of(http, node.GetStoryAsync(http.Principal().Tenant, new TaskId(id)), ToView);

    private Task<IResult> Fix(Guid id, DeadLetterFix fix, HttpContext http) => Problem(fix) is { } problem
        ? Task.FromResult(Problems.Of(StatusCodes.Status422UnprocessableEntity, problem))
        : FixAsync(id, fix, http);

    private async Task<IResult> FixAsync(Guid id, DeadLetterFix fix, HttpContext http)
    {
        // A tool's input is looked at now, while a person is there to correct it.
        var task = await replies.Ask(node.GetTaskAsync(http.Principal().Tenant, new TaskId(id)));
        if (task.Refusal is { } gone)
            return replies.Of(gone);
        var executor = fix.Executor ?? task.Value.Spec.Executor;
        if (executor.StartsWith(ToolPrefix, StringComparison.Ordinal) && catalog.Find(executor[ToolPrefix.Length..])?.Definition.InputSchema is { } schema
            && InputSchema.Check(schema, fix.Input ?? AstraJson.Parse(task.Value.Spec.Input.Span)) is { } misfit)
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, $"The input does not fit {executor}. {misfit}");
        ReadOnlyMemory<byte>? input = fix.Input is null ? null : WorkMapping.ToBytes(fix.Input);
        return await tasks.ReplyAsync(http, node.FixAsync(http.Principal().Caller, new TaskId(id), fix.Executor, input));
    }

    private Task<IResult> Replay(Guid id, HttpContext http) => tasks.ReplyAsync(http, node.RedriveAsync(http.Principal().Caller, new TaskId(id)));

    private Task<IResult> Discard(Guid id, ReasonGiven? given, HttpContext http)
    {
        var reason = Words.Clean(given?.Reason) is { Length: > 0 } said ? said : $"Discarded by {http.Principal().Caller.Principal}.";
        return tasks.ReplyAsync(http, node.DiscardAsync(http.Principal().Caller, new TaskId(id), reason));
    }

    private async Task<IResult> ListEffects(string? cursor, int? limit, HttpContext http)
    {
        if ((PageQuery.Refuse(limit) ?? PageQuery.Refuse(cursor, out _)) is { } bad)
            return bad;
        PageQuery.Refuse(cursor, out var after);
        var count = limit ?? PageQuery.LimitDefault;
        var asked = node.ListUnknownEffectsAsync(http.Principal().Tenant, after is { } id ? new TaskId(id) : null, count + 1);
        return await replies.Of(http, asked, rows => PageQuery.ToPage(
            rows, count, row => new UnknownEffectView(WireMapping.ToView(row.Task, _ => null, isInList: true), row.GoalTitle, row.Agent), row => row.Task.Id.Value));
    }

    private Task<IResult> Resolve(Guid id, EffectResolution resolution, HttpContext http)
    {
        var outcome = WorkMapping.ToKernel(resolution.Outcome);
        return tasks.ReplyAsync(http, node.ResolveEffectAsync(http.Principal().Caller, new TaskId(id), outcome, WorkMapping.ToBytes(resolution.Output)));
    }

    private string? Problem(DeadLetterFix fix) =>
        fix.Executor is null && fix.Input is null ? "A fix names another input, another executor, or both."
        : fix.Executor is not { } executor ? null
        : !PlanEditing.IsExecutor(executor) || !Words.IsPlain(executor) ? $"'{Words.Clean(executor)}' is no executor; it must be agent:NAME or tool:NAME[@VERSION]."
        : executor.StartsWith(ToolPrefix, StringComparison.Ordinal) && catalog.Find(executor[ToolPrefix.Length..]) is null ? $"This server has no tool '{executor[ToolPrefix.Length..]}'."
        : null;

    /// <summary>A group goes by its short id or by the fingerprint itself. Null for all.</summary>
    private async ValueTask<Answer<string?>> FingerprintOf(string? group, TenantId tenant)
    {
        if (string.IsNullOrEmpty(group))
            return Answer.Of<string?>(null);
        var groups = await replies.Ask(node.ListDeadGroupsAsync(tenant, GroupsMax));
        if (groups.Refusal is { } refusal)
            return refusal;
        // A group that is empty by now is no mistake of whoever asks for what is left of it.
        return Answer.Of<string?>(groups.Value.FirstOrDefault(known => known.Fingerprint == group || DeadGroup.IdOf(known.Fingerprint) == group)?.Fingerprint ?? group);
    }

    private static DeadGroupView ToView(DeadGroup group) => new(
        DeadGroup.IdOf(group.Fingerprint), group.Fingerprint, group.Count, group.FirstAt, group.LastAt, group.Kinds, group.Executors, group.SampleReason, group.SampleTask.Value);

    private static DeadLetterView ToDeadLetter(TitledTask listed) => new(
        WireMapping.ToView(listed.Task, _ => null, isInList: true), listed.GoalTitle, listed.Agent, listed.Task.Failure?.Fingerprint ?? "");

    private static TaskStoryView ToView(TaskStory story) => new(
        WireMapping.ToView(story.Task, _ => null, isInList: false) with { After = [] }, story.Goal.Title, story.Goal.Agent, story.Task.Failure?.Fingerprint ?? "",
        [.. story.Attempts.Select(attempt => new AttemptView(
            attempt.Attempt, attempt.Worker, attempt.StartedAt, attempt.EndedAt, attempt.Ending is { } ending ? EventMapping.KindOf(ending) : null,
            attempt.Failure is { } failure ? WireMapping.ToView(failure) : null, attempt.Reason, attempt.Effect is { } effect ? WorkMapping.ToWire(effect) : null))],
        [.. story.Interventions.Select(intervention => new InterventionView(intervention.At, EventMapping.KindOf(intervention.Kind), intervention.By))]);
}
