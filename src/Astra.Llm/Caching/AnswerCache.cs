using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using Astra.Llm.Routing;
using Astra.Llm.Translation;
using Astra.Llm.Wire;

namespace Astra.Llm.Caching;

/// <summary>
/// Answers that were given before, given again: to the same tenant, for a request that could only be answered the same. What is
/// asked for at the same time is asked of a provider once. It never holds an error, nor an answer that is not whole.
/// </summary>
internal sealed class AnswerCache(TimeProvider clock, HitCounts hits)
{
    private readonly AnswerStore _store = new(clock);
    private readonly ConcurrentDictionary<Digest, Flight> _flights = new();

    public void Limit(CacheLimits limits) => _store.Limit(limits);

    /// <summary>The short way: the same bytes were asked for before, and their answer is here. Nothing of the request is read.</summary>
    public PreparedAnswer? Find(in RawKey raw) => _store.Find(raw);

    /// <summary>Whether to look at all: what says nothing of a temperature is neither looked for nor hashed.</summary>
    public static bool MayHold(ModelCall call) => call.Cache switch
    {
        CacheWish.No => false,
        CacheWish.Yes => call.Operation != Operation.CountTokens,
        _ => call.Operation == Operation.Embeddings || call.Operation != Operation.CountTokens && call.Body.Span.IndexOf("\"temperature\""u8) >= 0,
    };

    public static RawKey RawKeyOf(ModelCall call, long generation) => new(
        call.Spender.Tenant.Value, generation, call.Operation, call.Cache, call.Kind, call.AnthropicVersion, call.AnthropicBeta, Digest.Of(call.Body.Span));

    /// <summary>Null when the request is not one to be answered from here.</summary>
    public static Digest? KeyOf(ModelCall call, RequestScan scan, ModelRoute route)
    {
        var isAsked = call.Cache == CacheWish.Yes || call.Operation == Operation.Embeddings || scan.IsTemperatureZero;
        if (!isAsked)
            return null;
        Span<byte> scope = stackalloc byte[16 + Digest.Size];
        call.Spender.Tenant.Value.TryWriteBytes(scope);
        route.Digest.ToArray().CopyTo(scope[16..]);
        return CanonicalRequest.Of(call, scan, scope);
    }

    public async Task AnswerAsync(
        Digest key, RawKey raw, ModelCall call, RequestScan scan, IModelReply reply, Func<ModelCall, RequestScan, IModelReply, CancellationToken, Task> ask,
        CancellationToken cancellationToken)
    {
        var form = !scan.IsStream ? AnswerForm.Whole : call.Operation == Operation.Chat && scan.WantsUsage ? AnswerForm.StreamWithUsage : AnswerForm.Stream;
        while (true)
        {
            if (_store.Find(key) is { } known)
            {
                await ReplayAsync(_store.Prepare(raw, known, form), call, reply, "hit", cancellationToken);
                return;
            }
            var flight = _flights.GetOrAdd(key, static (_, made) => new Flight(made.call.Operation, made.IsStream, new CancellationTokenSource()), (call, scan.IsStream));
            if (!flight.TryJoin(out var isFirst))
            {
                // It ends at this moment, or everybody has left it.
                _flights.TryRemove(new KeyValuePair<Digest, Flight>(key, flight));
                continue;
            }
            if (isFirst)
                _ = FlyAsync(key, flight, call with { Body = call.Body.ToArray() }, scan with { KeepsUsage = true }, ask);
            bool isAnswered;
            try
            {
                isAnswered = await WaitAsync(flight, isFirst, call, scan, form, reply, cancellationToken);
            }
            finally
            {
                flight.Leave();
            }
            // Somebody else's refusal is about somebody else's budget, and a failure that was met once need not be met again.
            if (!isAnswered)
            {
                reply.SetHeader(Header, "miss");
                await ask(call, scan, reply, cancellationToken);
            }
            return;
        }
    }

    public const string Header = "x-astra-cache";

    public async Task ReplayAsync(PreparedAnswer prepared, ModelCall call, IModelReply reply, string word, CancellationToken cancellationToken)
    {
        hits.Add(call.Spender, prepared.Answer);
        reply.SetHeader(call.Operation.IsAnthropic() ? "request-id" : "x-request-id", call.Id.ToString());
        reply.SetHeader("x-astra-model", prepared.Answer.Model);
        reply.SetHeader(Header, word);
        reply.Start(200, prepared.IsStream ? "text/event-stream" : "application/json", prepared.IsStream ? null : prepared.Body.Length);
        reply.Body.Write(prepared.Body.Span);
        await reply.Body.FlushAsync(cancellationToken);
    }

    private async Task FlyAsync(Digest key, Flight flight, ModelCall call, RequestScan scan, Func<ModelCall, RequestScan, IModelReply, CancellationToken, Task> ask)
    {
        Landing landing;
        try
        {
            // Another flight may have landed between the look into the store and this one's beginning.
            if (_store.Find(key) is { } known)
                landing = new Landing(known);
            else
                landing = await AskAsync(key, flight, call, scan, ask);
        }
        catch (OperationCanceledException) when (flight.Abandoned.IsCancellationRequested)
        {
            landing = new Landing(null);
        }
        catch (Exception e)
        {
            landing = new Landing(null, e);
        }
        _flights.TryRemove(new KeyValuePair<Digest, Flight>(key, flight));
        flight.End(landing);
    }

    private async Task<Landing> AskAsync(
        Digest key, Flight flight, ModelCall call, RequestScan scan, Func<ModelCall, RequestScan, IModelReply, CancellationToken, Task> ask)
    {
        var reply = flight.NewReply();
        await ask(call, scan, reply, flight.Abandoned);
        if (reply.Whole() is not { } whole)
            return new Landing(null, IsBroken: reply.IsBroken);
        var answer = new CachedAnswer(call.Operation, whole, reply.Model);
        if (IsComplete(call.Operation, whole))
            _store.Add(key, answer);
        return new Landing(answer);
    }

    /// <summary>True when the client has its answer, or the first waiter its refusal.</summary>
    private async Task<bool> WaitAsync(
        Flight flight, bool isFirst, ModelCall call, RequestScan scan, AnswerForm form, IModelReply reply, CancellationToken cancellationToken)
    {
        var (from, hasBegun) = (0, false);
        while (true)
        {
            var sight = flight.Look(from);
            if (!hasBegun && sight.Landing is { } landing)
            {
                if (landing.Answer is { } answer)
                    await WriteAsync(answer, form, sight.Head, isFirst, call, reply, cancellationToken);
                else if (!isFirst)
                    return false;
                else if (landing.Failure is { } failure)
                    throw new InvalidOperationException(failure.Message, failure);
                else
                    await RelayAsync(sight, landing.IsBroken, reply, cancellationToken);
                return true;
            }
            if (!hasBegun && scan.IsStream && flight.IsStream && sight.Head is { Status: 200 } head)
            {
                hasBegun = true;
                if (!isFirst)
                    CountShared(call, head);
                SetHeaders(head, isFirst, call, reply);
                reply.Start(200, head.ContentType, length: null);
            }
            if (hasBegun && sight.Pieces.Count > 0)
            {
                foreach (var piece in sight.Pieces)
                    if (!piece.IsUsageOnly || form == AnswerForm.StreamWithUsage)
                        reply.Body.Write(piece.Bytes.Span);
                from += sight.Pieces.Count;
                if (await reply.Body.FlushAsync(cancellationToken) is { IsCompleted: true } or { IsCanceled: true })
                    return true;
            }
            if (hasBegun && sight.Landing is { } end)
            {
                if (end.IsBroken)
                    reply.Break();
                return true;
            }
            await sight.News.WaitAsync(cancellationToken);
        }
    }

    private async Task WriteAsync(
        CachedAnswer answer, AnswerForm form, ReplyHead? head, bool isFirst, ModelCall call, IModelReply reply, CancellationToken cancellationToken)
    {
        var prepared = _store.Prepare(answer, form);
        if (!isFirst || head is null)
        {
            await ReplayAsync(prepared, call, reply, isFirst ? "hit" : "shared", cancellationToken);
            return;
        }
        SetHeaders(head, isFirst, call, reply);
        reply.Start(200, head.ContentType, prepared.Body.Length);
        reply.Body.Write(prepared.Body.Span);
        await reply.Body.FlushAsync(cancellationToken);
    }

    /// <summary>A refusal, as the router has put it, or a stream that broke off before anybody looked.</summary>
    private static async Task RelayAsync(Sight sight, bool isBroken, IModelReply reply, CancellationToken cancellationToken)
    {
        if (sight.Head is not { } head)
            return;
        foreach (var (name, value) in head.Headers)
            reply.SetHeader(name, value);
        reply.SetHeader(Header, "miss");
        reply.Start(head.Status, head.ContentType, isBroken ? null : sight.Pieces.Sum(piece => piece.Bytes.Length));
        foreach (var piece in sight.Pieces)
            reply.Body.Write(piece.Bytes.Span);
        await reply.Body.FlushAsync(cancellationToken);
        if (isBroken)
            reply.Break();
    }

    private static void SetHeaders(ReplyHead head, bool isFirst, ModelCall call, IModelReply reply)
    {
        foreach (var (name, value) in head.Headers)
            if (isFirst || name is not ("request-id" or "x-request-id" or "x-astra-attempts"))
                reply.SetHeader(name, value);
        if (!isFirst)
            reply.SetHeader(call.Operation.IsAnthropic() ? "request-id" : "x-request-id", call.Id.ToString());
        reply.SetHeader(Header, isFirst ? "miss" : "shared");
    }

    private void CountShared(ModelCall call, ReplyHead head) =>
        hits.Add(call.Spender, new CachedAnswer(call.Operation, [], head.Headers.FirstOrDefault(header => header.Name == "x-astra-model").Value ?? ""));

    /// <summary>It came to its own end: not to a bound, not to a filter, not to something that has to be gone on with.</summary>
    private static bool IsComplete(Operation operation, ReadOnlySpan<byte> whole)
    {
        try
        {
            var answer = Json.Parse(whole);
            return answer.Get("error") is null && operation switch
            {
                Operation.Embeddings => answer.Items("data").Any(),
                Operation.Messages => answer.Text("stop_reason") is "end_turn" or "tool_use" or "stop_sequence",
                Operation.Responses => answer.Text("status") == "completed",
                _ => answer.Items("choices").Any() && answer.Items("choices").All(choice => choice.Text("finish_reason") is "stop" or "tool_calls" or "function_call"),
            };
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
