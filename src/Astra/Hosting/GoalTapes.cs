using Astra.Agents.Replaying;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Llm.Caching;
using Astra.Llm.Recording;
using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>What was recorded of goals, of models and of tools alike, for whoever replays them.</summary>
/// <param name="kept">For how long after a goal's end; null for good.</param>
public sealed class GoalTapes(Recorder recorder, IRecordingStore store, ReplaySessions sessions, TimeProvider clock, TimeSpan? kept = null) : IGoalTapes, IToolRecords
{
    public void Add(Assignment of, ToolCall call, ToolResult result) => Add(of, call, AstraJson.Write(result));

    public void AddFailure(Assignment of, ToolCall call, RecordedFailure failure) => Add(of, call, AstraJson.Write(failure));

    private void Add(Assignment of, ToolCall call, byte[] answer)
    {
        if (answer.Length <= Recorder.AnswerBytesMax)
            recorder.Add(new Recording(of.Tenant, of.Goal, of.Task, RecordingKind.Tool, Guid.CreateVersion7(), clock.GetUtcNow(), DigestOf(call), call.Tool, answer) { Attempt = of.Attempt });
    }

    public string? WhyForgotten(DateTimeOffset endedAt) => kept is { } lifetime && endedAt < clock.GetUtcNow() - lifetime
        ? $"its recordings are forgotten: they are kept for {lifetime.TotalDays:0.##} day{(lifetime.TotalDays is 1 ? "" : "s")} after a goal has ended (`astra serve --keep-recordings`)."
        : null;

    public async ValueTask<IGoalTape?> OpenAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        await recorder.FlushAsync(cancellationToken);
        var session = new ReplaySession(await store.ReadAsync(tenant, goal, cancellationToken));
        return sessions.TryBegin(tenant, goal, session) ? new Tape(sessions, tenant, goal, session) : null;
    }

    // What a tool reads of this machine is a part of what it was asked; how long it may take is not.
    private static Digest DigestOf(ToolCall call) => Digest.From(CanonicalJson.DigestOf(AstraJson.ToElement(new { call.Tool, call.Input, call.Reads })));

    private sealed class Tape(ReplaySessions sessions, TenantId tenant, GoalId goal, ReplaySession session) : IGoalTape
    {
        public IReadOnlyList<string> Missing => session.Missing;

        public ToolResult? Take(TaskId task, ToolCall call)
        {
            var request = DigestOf(call);
            if (session.Take(task, RecordingKind.Tool, request) is { } recording)
            {
                // A failure has words, and a result an output; neither has both.
                return AstraJson.Parse(recording.Answer.Span).TryGetProperty("failure", out _)
                    ? throw AstraJson.Read<RecordedFailure>(recording.Answer.Span).ToException()
                    : AstraJson.Read<ToolResult>(recording.Answer.Span);
            }
            session.Miss($"Task {task.Value} calls the tool {call.Tool} with something that it has no recording of (request {request.ToString()[..16]}…).");
            return null;
        }

        public void Dispose() => sessions.End(tenant, goal);
    }
}
