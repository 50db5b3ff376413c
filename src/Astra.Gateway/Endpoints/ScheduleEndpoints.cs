using Astra.Kernel;
using Astra.Kernel.Timers;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using KernelMisfire = Astra.Kernel.Timers.MisfirePolicy;
using WireMisfire = Astra.Sdk.MisfirePolicy;

namespace Astra.Gateway;

/// <summary>Goals that are submitted again and again.</summary>
internal sealed class ScheduleEndpoints(KernelNode node, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var schedules = api.MapGroup("/schedules").WithTags("Schedules");
        schedules.MapPost("", Create).Produces<ScheduleView>(StatusCodes.Status201Created).WithSummary("Make a schedule: cron fields, every, or at.");
        schedules.MapGet("", (Delegate)List).Produces<IReadOnlyList<ScheduleView>>().WithSummary("The tenant's schedules, by name.");
        schedules.MapGet("/{id}", Get).Produces<ScheduleView>().WithSummary("One schedule, and when it fires next.");
        schedules.MapPost("/{id}/pause", Pause).Produces<ScheduleView>().WithSummary("It fires no more until it is resumed.");
        schedules.MapPost("/{id}/resume", Resume).Produces<ScheduleView>().WithSummary("It goes on from now.");
        schedules.MapPost("/{id}/run", Run).Produces<GoalView>(StatusCodes.Status201Created).WithSummary("Submit its goal now, beside whatever it does at its times.");
        schedules.MapDelete("/{id}", Remove).Produces(StatusCodes.Status204NoContent).WithSummary("Remove it. Goals it has submitted go on.");
    }

    private Task<IResult> Create(ScheduleRequest request, HttpContext http) => replies.Of(
        http,
        node.AddScheduleAsync(http.Principal().Caller, request.Name, request.When, request.TimeZone, (KernelMisfire)((int)request.Misfire + 1), AstraJson.Write(request.Goal)),
        schedule =>
        {
            http.Response.Headers.Location = $"/api/v1/schedules/{schedule.Id}";
            return Replies.Json(ToView(schedule), StatusCodes.Status201Created);
        });

    private Task<IResult> List(HttpContext http) => replies.Of(http, node.ListSchedulesAsync(http.Principal().Tenant), schedules => schedules.Select(ToView).ToList());

    private Task<IResult> Get(Guid id, HttpContext http) => replies.Of(http, node.GetScheduleAsync(http.Principal().Tenant, new ScheduleId(id)), ToView);

    private Task<IResult> Pause(Guid id, HttpContext http) => replies.Of(http, node.PauseScheduleAsync(http.Principal().Caller, new ScheduleId(id)), ToView);

    private Task<IResult> Resume(Guid id, HttpContext http) => replies.Of(http, node.ResumeScheduleAsync(http.Principal().Caller, new ScheduleId(id)), ToView);

    private Task<IResult> Run(Guid id, [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey, HttpContext http) => replies.Of(
        http, node.RunScheduleAsync(http.Principal().Caller, new ScheduleId(id), idempotencyKey), goal => Replies.Json(WireMapping.ToView(goal), StatusCodes.Status201Created));

    private Task<IResult> Remove(Guid id, HttpContext http) =>
        replies.Of(http, node.RemoveScheduleAsync(http.Principal().Caller, new ScheduleId(id)), _ => Results.NoContent());

    private static ScheduleView ToView(Schedule schedule) => new()
    {
        Id = schedule.Id.Value, Name = schedule.Name, When = schedule.When, TimeZone = schedule.TimeZone, Misfire = (WireMisfire)((int)schedule.Misfire - 1),
        Goal = AstraJson.Read<GoalSubmission>(schedule.Submission.Span), CreatedAt = schedule.CreatedAt, NextAt = schedule.NextAt, LastAt = schedule.LastAt,
        LastGoalId = schedule.LastGoal?.Value, LastProblem = schedule.LastProblem, FiredCount = schedule.FiredCount, MissedCount = schedule.MissedCount, PausedBy = schedule.PausedBy,
    };
}
