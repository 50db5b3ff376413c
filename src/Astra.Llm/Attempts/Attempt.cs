using System.Buffers;
using System.Text.Json;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Llm.Routing;
using Astra.Llm.Translation;
using Astra.Llm.Wire;

namespace Astra.Llm.Attempts;

/// <summary>
/// One try at one target, in two parts. <see cref="OpenAsync"/> goes as far as the first content and holds back what comes before
/// it; whatever goes wrong there is a <see cref="Fault"/>, and another target may be tried. <see cref="DeliverAsync"/> hands the answer
/// on; from its first byte nothing is tried again, and an answer that breaks off says so.
/// </summary>
internal sealed class Attempt : IAsyncDisposable
{
    /// <summary>More is no answer of a model's.</summary>
    private const int AnswerBytesMax = 64 << 20;

    private const int ReadBytes = 16 << 10;
    private const int ReadBytesMin = 1 << 10;

    private readonly RouterParts _parts;
    private readonly ModelCall _call;
    private readonly RequestScan _scan;
    private readonly Deadline _total;
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource _patience;
    private readonly Conversion? _conversion;
    private readonly AnswerScan _answer;
    private readonly AttemptMoney _money;
    private readonly PooledBuffer _raw = new(ReadBytes);
    private readonly PooledBuffer _held = new();
    private readonly BreakerPass _pass;
    private readonly long _began;

    private PooledBuffer? _request;
    private UsableKey _key;
    private HttpResponseMessage? _response;
    private Stream? _stream;
    private bool _isSent;
    private bool _isEnded;
    private bool _hasContent;
    private string? _failure;
    private TimeSpan? _firstToken;

    public Attempt(RouterParts parts, ModelCall call, RequestScan scan, NextTarget next, Deadline total, CancellationToken caller)
    {
        var target = next.Target;
        (_parts, _call, _scan, Target, _pass, _total, _caller) = (parts, call, scan, target, next.Pass, total, caller);
        _patience = CancellationTokenSource.CreateLinkedTokenSource(caller);
        _conversion = Conversion.Between(call.Operation, target.Provider.Config, scan.KeepsUsage ? scan with { WantsUsage = true } : scan);
        _answer = AnswerScan.Of(Upstream);
        _money = new AttemptMoney(parts, call, scan, target);
        _began = parts.Clock.GetTimestamp();
        target.Began();
    }

    public Target Target { get; }

    public Guid Id => _money.Attempt;

    private Operation Upstream => _conversion?.Upstream ?? _call.Operation;

    /// <summary>The provider speaks another dialect than the client.</summary>
    public bool IsConverted => _conversion is not null;

    private ProviderConfig Config => Target.Provider.Config;

    public ValueTask<ModelRefusal?> ReserveAsync() => _money.ReserveAsync(_caller);

    /// <summary>Null when there is content to deliver.</summary>
    public async Task<Fault?> OpenAsync()
    {
        try
        {
            if (await Target.Provider.TakeKeyAsync(_parts.Keys, _caller) is not { } key)
                return new Fault(FaultKind.Key, $"{Config.Name} has no key that may be used; `astra secret set` sets {string.Join(" or ", Config.Keys)}.");
            _key = key;
            var wait = _scan.IsStream ? Config.FirstTokenSeconds : Math.Max(Config.FirstTokenSeconds, Config.AnswerSeconds);
            _patience.CancelAfter(_total.AtMost(wait));
            using var request = NewRequest();
            _isSent = true;
            _money.Sent();
            _response = await Target.Provider.Transport.SendAsync(request, _patience.Token);
            if (!_response.IsSuccessStatusCode)
                return await ProviderRefusals.ReadAsync(_response, Config.Name, _patience.Token);
            _stream = await _response.Content.ReadAsStreamAsync(_patience.Token);
            return _scan.IsStream ? await ReadToContentAsync() : await ReadWholeAsync();
        }
        catch (RequestRefusedException e)
        {
            return new Fault(FaultKind.Request, e.Message, 400);
        }
        catch (Exception e) when (e is not OperationCanceledException || !_caller.IsCancellationRequested)
        {
            if (FaultOf(e) is { } fault)
                return fault;
            throw;
        }
    }

    /// <summary>Hands the answer to its client, to its end or to where it breaks off.</summary>
    public Task<AttemptOutcome> DeliverAsync(IModelReply reply) => _scan.IsStream ? DeliverStreamAsync(reply) : DeliverWholeAsync(reply);

    /// <summary>Settles what it came to and tells the target's health. Once, and whatever happened.</summary>
    public async ValueTask EndAsync(AttemptOutcome outcome, Fault? fault)
    {
        var duration = _parts.Clock.GetElapsedTime(_began);
        Learn(outcome, fault, duration);
        // An answer with an error's status was not computed; whatever else was sent may have been.
        await _money.EndAsync(outcome, _answer, _isSent, fault is null || fault.MayHaveCost, duration, _firstToken);
    }

    public ValueTask DisposeAsync()
    {
        Target.Ended();
        _response?.Dispose();
        _patience.Dispose();
        _request?.Dispose();
        _raw.Dispose();
        _held.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Another attempt was faster: whatever this one waits for ends now.</summary>
    public Task CancelAsync() => _patience.CancelAsync();

    private HttpRequestMessage NewRequest()
    {
        _request = new PooledBuffer(_call.Body.Length + 256);
        // Only a stream has to be asked for its figures, and only where that is understood.
        var includeUsage = _scan.IsStream && Config.StreamUsage && Upstream == Operation.Chat;
        var boundName = Upstream switch
        {
            Operation.Responses => "max_output_tokens",
            Operation.Chat when Config.MaxCompletionTokens => "max_completion_tokens",
            _ => "max_tokens",
        };
        if (_conversion is null)
            RequestPatch.Write(_call.Body.Span, _scan, Target.Model.Id, includeUsage && !_scan.WantsUsage, _money.OutputTokensInjected, boundName, _request);
        else
            _conversion.WriteRequest(
                _call.Body.Span, _scan, new Additions(Target.Model.Id, includeUsage, _scan.OutputTokensMax ?? _money.OutputTokensInjected, Target.Model.OutputTokensMax, boundName), _request);
        return ProviderRequests.New(Target.Provider, _key, Upstream, _request.Memory, _call);
    }

    /// <summary>Reads until something has been said. What the provider said before stays in <see cref="_held"/>.</summary>
    private async ValueTask<Fault?> ReadToContentAsync()
    {
        while (!_hasContent)
        {
            if (!await ReadAsync())
            {
                Finish(_held);
                if (!_hasContent && !_isEnded)
                    return new Fault(FaultKind.Garbage, $"{Config.Name} ended its stream before it said anything.", MayHaveCost: true);
                break;
            }
            Advance(_held);
            if (_isEnded)
                break;
        }
        if (_failure is not null)
            return new Fault(FaultKind.Server, $"{Config.Name} failed: {_failure}", MayHaveCost: true);
        _firstToken = _parts.Clock.GetElapsedTime(_began);
        return null;
    }

    private async ValueTask<Fault?> ReadWholeAsync()
    {
        while (await ReadAsync())
        {
            if (_raw.Length > AnswerBytesMax)
                return new Fault(FaultKind.Garbage, $"{Config.Name} answers without an end; {AnswerBytesMax >> 20} MB were read.", MayHaveCost: true);
            _patience.CancelAfter(_total.AtMost(Config.BetweenTokensSeconds));
        }
        _answer.LookAtWhole(_raw.Span);
        return _answer.IsWhole ? null : new Fault(FaultKind.Server, $"{Config.Name} failed: {_answer.Error}", MayHaveCost: true);
    }

    private async Task<AttemptOutcome> DeliverWholeAsync(IModelReply reply)
    {
        ReadOnlyMemory<byte> body;
        if (_conversion is not null)
        {
            _conversion.WriteAnswer(_raw.Span, _held);
            body = _held.Memory;
        }
        else if (_call.Operation == Operation.Embeddings && EmbeddingForm.Convert(_raw.Span, _scan.WantsBase64, _held))
            body = _held.Memory;
        else
            body = _raw.Memory;
        _money.Tell(_answer, reply.SetHeader);
        reply.Start(200, "application/json", body.Length);
        reply.Body.Write(body.Span);
        var flushed = await reply.Body.FlushAsync(_caller);
        return flushed.IsCompleted || flushed.IsCanceled ? AttemptOutcome.Abandoned : AttemptOutcome.Completed;
    }

    private async Task<AttemptOutcome> DeliverStreamAsync(IModelReply reply)
    {
        reply.Start(200, "text/event-stream", length: null);
        reply.Body.Write(_held.Span);
        try
        {
            while (true)
            {
                if ((await reply.Body.FlushAsync(_caller)) is { IsCompleted: true } or { IsCanceled: true })
                    return AttemptOutcome.Abandoned;
                if (_isEnded || _failure is not null)
                    break;
                // From here, so that a client that reads slowly does not make its provider late.
                _patience.CancelAfter(_total.AtMost(Config.BetweenTokensSeconds));
                var progress = false;
                while (!progress && !_isEnded && _failure is null)
                {
                    if (await ReadAsync())
                        progress = Advance(reply.Body);
                    else
                        Finish(reply.Body);
                    // A sign of life alone is handed on and buys no time.
                    if (!progress)
                        await reply.Body.FlushAsync(_caller);
                }
            }
        }
        catch (OperationCanceledException) when (_caller.IsCancellationRequested)
        {
            return AttemptOutcome.Abandoned;
        }
        catch (Exception e) when (FaultOf(e) is { } fault)
        {
            _failure = fault.Sentence;
        }
        if (_failure is null)
            return AttemptOutcome.Completed;
        DialectErrors.WriteEvent(_call.Operation, new ModelRefusal(502, "server_error", "upstream_cut", $"The answer broke off: {_failure}"), reply.Body);
        await reply.Body.FlushAsync(_caller);
        reply.Break();
        return AttemptOutcome.Cut;
    }

    private async ValueTask<bool> ReadAsync()
    {
        var count = await _stream!.ReadAsync(_raw.GetMemory(ReadBytesMin), _patience.Token);
        _raw.Advance(count);
        return count > 0;
    }

    /// <summary>Looks at every event that is there whole, and hands on what the client is to have. True when any was more than a sign of life.</summary>
    private bool Advance(IBufferWriter<byte> output)
    {
        var progress = false;
        while (!_isEnded && _failure is null)
        {
            var told = StreamEvents.Next(_raw.Span, out var length);
            if (length == 0)
            {
                if (_raw.Length > StreamEvents.EventBytesMax)
                    throw new JsonException("An event without an end.");
                break;
            }
            var meaning = _answer.Look(told);
            progress |= meaning != EventMeaning.KeepAlive;
            _hasContent |= meaning == EventMeaning.Content;
            _isEnded |= meaning == EventMeaning.End;
            if (meaning == EventMeaning.Error)
                _failure = _answer.Error is { Length: > 0 } message ? message : "it gave no reason.";
            else
                HandOn(told, meaning, _raw.Span[..length], output);
            _raw.Consume(length);
        }
        return progress;
    }

    private void HandOn(in StreamEvent told, EventMeaning meaning, ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        if (_conversion is not null)
        {
            if (told.HasData && meaning != EventMeaning.End || Upstream is Operation.Messages or Operation.Responses)
                _conversion.WriteEvent(told, output);
            if (meaning == EventMeaning.End)
                _conversion.WriteEnd(output);
            return;
        }
        // Who did not ask for the figures gets a stream without them, as from the provider itself.
        if (meaning == EventMeaning.UsageOnly && !_scan.WantsUsage && !_scan.KeepsUsage)
            return;
        output.Write(bytes);
    }

    /// <summary>The provider closed its stream. Whole is what it said was whole; what only lacks its form gets it, and the rest broke off.</summary>
    private void Finish(IBufferWriter<byte> output)
    {
        if (_raw.Length > 0)
        {
            _raw.Write("\n\n"u8);
            Advance(output);
        }
        if (_isEnded || _failure is not null)
            return;
        if (!_answer.IsWhole)
        {
            if (_hasContent)
                _failure = $"{Config.Name} closed the stream in the middle.";
            return;
        }
        _isEnded = true;
        if (_conversion is not null)
            _conversion.WriteEnd(output);
        else if (_call.Operation == Operation.Messages)
            output.Write("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"u8);
        else if (_call.Operation == Operation.Chat)
            output.Write("data: [DONE]\n\n"u8);
    }

    private void Learn(AttemptOutcome outcome, Fault? fault, TimeSpan duration)
    {
        if (fault is not null)
        {
            var effect = fault.Effect;
            if (effect.DisablesKey && _isSent)
                _key.State.Refuse(_key.Secret);
            if (effect.CoolsKey)
                _key.State.Cool(fault.RetryAfter);
            if (effect.CountsAgainstTarget)
                Target.Breaker.Failed(_pass);
            else if (fault.Kind == FaultKind.Request && _isSent)
                Target.Breaker.Succeeded(); // It answers, and that is what the breaker asks.
            else
                Target.Breaker.Undecided(_pass);
            return;
        }
        switch (outcome)
        {
            case AttemptOutcome.Completed:
                Target.Breaker.Succeeded();
                _key.State.Accept();
                Target.LatencyOf(_scan.IsStream).Add(_firstToken ?? duration);
                break;
            case AttemptOutcome.Cut:
                Target.Breaker.Failed(_pass);
                break;
            default:
                Target.Breaker.Undecided(_pass);
                // So long it took at least; a target that is always overtaken must not look quick.
                if (outcome == AttemptOutcome.Overtaken)
                    Target.LatencyOf(_scan.IsStream).Add(duration);
                break;
        }
    }

    private Fault? FaultOf(Exception exception) => exception switch
    {
        OperationCanceledException => new Fault(
            FaultKind.Timeout, _total.IsOver ? "the time for the whole request was over." : $"{Config.Name} did not go on within its time.", MayHaveCost: true),
        JsonException => new Fault(FaultKind.Garbage, $"{Config.Name} sent what is no answer of a model.", MayHaveCost: true),
        HttpRequestException or IOException => ProviderRefusals.Of(exception, Config.Name, isAnswered: _response is not null),
        _ => null,
    };
}
