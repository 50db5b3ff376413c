using System.Buffers;
using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Money;
using Astra.Llm.Wire;

namespace Astra.Llm.Recording;

/// <summary>The calls of goals' tasks: recorded as they are answered, and answered from the recordings while their goal is replayed.</summary>
internal sealed class RecordedCalls(Recorder recorder, ReplaySessions replays, TimeProvider clock)
{
    public const string Header = "x-astra-replayed";

    public static bool Concerns(ModelCall call) => call.Spender is { Goal: not null, Task: not null };

    /// <summary>Null when the call was answered; otherwise why it cannot be.</summary>
    public async ValueTask<ModelRefusal?> AnswerAsync(
        ModelCall call, RequestScan scan, IModelReply reply, Func<IModelReply, Task> ask, CancellationToken cancellationToken)
    {
        var (tenant, goal, task) = (call.Spender.Tenant, call.Spender.Goal!.Value, call.Spender.Task!.Value);
        var request = CanonicalRequest.Of(call, scan, scope: default);
        if (replays.Find(tenant, goal) is { } session)
        {
            if (request is { } asked && session.Take(task, RecordingKind.Model, asked) is { } recording)
            {
                await ReplayAsync(call, scan, recording, reply, cancellationToken);
                return null;
            }
            var refusal = ModelRefusal.NotRecorded(scan.Model, task.Value, request?.ToString());
            session.Miss(refusal.Message);
            return refusal;
        }
        if (request is not { } known)
        {
            await ask(reply);
            return null;
        }
        var kept = new KeptReply(reply);
        await ask(kept);
        if (kept.Whole(call.Operation) is { } whole)
            recorder.Add(new Recording(tenant, goal, task, RecordingKind.Model, call.Id, clock.GetUtcNow(), known, kept.Model, whole) { Attempt = call.Attempt, Cost = call.Allowance?.Spent ?? Nanodollars.Zero });
        return null;
    }

    private static async Task ReplayAsync(ModelCall call, RequestScan scan, Recording recording, IModelReply reply, CancellationToken cancellationToken)
    {
        var form = !scan.IsStream ? AnswerForm.Whole : call.Operation == Operation.Chat && scan.WantsUsage ? AnswerForm.StreamWithUsage : AnswerForm.Stream;
        var body = new CachedAnswer(call.Operation, recording.Answer.ToArray(), recording.Name).In(form);
        reply.SetHeader(call.Operation.IsAnthropic() ? "request-id" : "x-request-id", call.Id.ToString());
        reply.SetHeader("x-astra-model", recording.Name);
        reply.SetHeader(Header, "true");
        // Nothing is paid; who counts what it spends counts what it did then, and so comes to the same.
        call.Allowance?.Settle(held: Nanodollars.Zero, recording.Cost);
        reply.Start(200, scan.IsStream ? "text/event-stream" : "application/json", scan.IsStream ? null : body.Length);
        reply.Body.Write(body.Span);
        await reply.Body.FlushAsync(cancellationToken);
    }
}
