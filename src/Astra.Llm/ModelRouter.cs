using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Astra.Kernel;
using Astra.Llm.Attempts;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Llm.Routing;
using Astra.Llm.Wire;

namespace Astra.Llm;

/// <summary>
/// Answers requests for a model: finds who can, tries them one after the other until one has something to say, and hands that
/// on. It never starts an answer that it might have to take back, and never ends one that was not whole as if it were.
/// </summary>
public sealed class ModelRouter : IDisposable
{
    private const int BytesPerToken = 4;

    private readonly RouterParts _parts;
    private readonly TargetOrder _order;
    private readonly TenantId _home;
    private readonly Transports _transports;
    private volatile ModelDirectory _directory;

    /// <param name="home">Whose secrets the keys of everybody's providers are.</param>
    /// <param name="isPublic">Which addresses a tenant's provider may be at.</param>
    public ModelRouter(
        TenantId home, IProviderKeys keys, IBudgets budgets, IPrices prices, IUsageLog usage, IRandomness randomness, TimeProvider clock, Func<IPAddress, bool> isPublic)
    {
        _home = home;
        _parts = new RouterParts(keys, budgets, prices, usage, randomness, clock);
        _order = new TargetOrder(prices, randomness, clock);
        _transports = new Transports(isPublic);
        _directory = ModelDirectory.Of(ModelConfig.Empty, null, home, _transports, clock);
    }

    public ModelConfig Config => _directory.Config;

    /// <summary>From now on; what runs goes on as it began.</summary>
    public void Configure(ModelConfig config) => _directory = ModelDirectory.Of(config, _directory, _home, _transports, _parts.Clock);

    /// <summary>Every name of a model that leads somewhere for this tenant, and whose it is.</summary>
    public IReadOnlyList<(string Name, string Owner)> NamesFor(TenantId tenant) => [.. _directory.NamesFor(tenant)];

    /// <summary>Forgets what is held against the targets of a name: somebody has mended something and wants to see.</summary>
    public void Forgive(TenantId tenant, string name)
    {
        foreach (var target in _directory.Resolve(tenant, name, kind: null)?.Targets ?? [])
        {
            target.Breaker.Succeeded();
            foreach (var key in target.Provider.Keys)
                key.Accept();
        }
    }

    /// <summary>Answers, or says why not; in the dialect of the call either way.</summary>
    /// <exception cref="OperationCanceledException">The client has gone; what it had been sent is accounted for.</exception>
    public async Task AnswerAsync(ModelCall call, IModelReply reply, CancellationToken cancellationToken)
    {
        RequestScan scan;
        try
        {
            scan = RequestScan.Read(call.Body.Span, call.Operation);
        }
        catch (RequestRefusedException e)
        {
            await RefuseAsync(call, reply, ModelRefusal.Malformed(e.Message, e.Parameter), cancellationToken);
            return;
        }
        if (scan.IsStream && call.Operation is Operation.Embeddings or Operation.CountTokens)
            scan = scan with { IsStream = false };

        var directory = _directory;
        if (directory.Resolve(call.Spender.Tenant, scan.Model, call.Kind) is not { } route)
        {
            var refusal = directory.Providers.Count == 0 ? ModelRefusal.NoModels() : ModelRefusal.UnknownModel(scan.Model);
            await RefuseAsync(call, reply, refusal, cancellationToken);
            return;
        }
        if (call.Operation == Operation.CountTokens && !route.Targets.Any(target => target.CanServe(Operation.CountTokens)))
        {
            await EstimateAsync(call, reply, cancellationToken);
            return;
        }
        route = Degrade(call, directory, route, reply);
        if (await TryAsync(call, scan, route, new Deadline(_parts.Clock, directory.TotalTimeMax), reply, cancellationToken) is { } failed)
            await RefuseAsync(call, reply, failed.Refusal, cancellationToken, failed.OwnWords);
    }

    public void Dispose() => _transports.Dispose();

    /// <summary>The route that a budget of the caller's says is to be taken instead, from the part of it on that its policy names. What is
    /// of that tier or on this machine already, and a tier that leads nowhere for this tenant, stays as it is.</summary>
    private ModelRoute Degrade(ModelCall call, ModelDirectory directory, ModelRoute route, IModelReply reply)
    {
        if (!call.Operation.CanDegrade() || _parts.Budgets.DegradedTier(call.Spender) is not { } tier
            || directory.Resolve(call.Spender.Tenant, tier, call.Kind) is not { } cheaper || route.Targets.All(target => target.Model.Tier == Tier.Local || cheaper.Targets.Contains(target)))
            return route;
        reply.SetHeader("x-astra-degraded", tier);
        return cheaper;
    }

    /// <summary>Null when the client has its answer, or as much of one as there was.</summary>
    private async Task<Failed?> TryAsync(ModelCall call, RequestScan scan, ModelRoute route, Deadline total, IModelReply reply, CancellationToken cancellationToken)
    {
        _parts.Hedges.Earn();
        var tries = new Tries(call, scan, route, total);
        Fault? last = null;
        while (_order.Next(route, call.Operation, call.Priority, scan.IsStream, ref tries.Tried) is { } next)
        {
            var (attempt, fault, refusal) = await OpenAsync(tries, next, cancellationToken);
            if (attempt is not null)
            {
                await DeliverAsync(attempt, call, tries.Count, reply);
                return null;
            }
            if (refusal is not null)
                return new Failed(refusal);
            last = fault!;
            if (!last.Effect.FailsOver || total.IsOver)
                break;
        }
        if (last is null)
            return new Failed(WhyNobody(route, call.Operation));
        // The provider's own words about the request, where they are in the client's dialect.
        var isPassed = last.Kind == FaultKind.Request && last.Body.Length > 0 && !tries.IsConverted;
        return new Failed(ModelRefusal.Of(last, route.Name), isPassed ? last.Body : default);
    }

    /// <summary>Opens an attempt, and a second one beside it when the first takes longer than it should. Whoever has content first wins.</summary>
    private async Task<Opened> OpenAsync(Tries tries, NextTarget next, CancellationToken cancellationToken)
    {
        var first = tries.NewAttempt(_parts, next, cancellationToken);
        if (await ReserveAsync(first) is { } refusal)
            return new Opened(null, null, refusal);
        if (HedgeDelay(tries, next.Target) is not { } delay)
            return await OutcomeOfAsync(first, first.OpenAsync());

        var opening = first.OpenAsync();
        using (var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            var isOpen = await Task.WhenAny(opening, Task.Delay(delay, timer.Token)) == opening;
            await timer.CancelAsync();
            if (isOpen || cancellationToken.IsCancellationRequested)
                return await OutcomeOfAsync(first, opening);
        }
        if (!_parts.Hedges.TryTake() || _order.Next(tries.Route, tries.Call.Operation, CallPriority.High, tries.Scan.IsStream, ref tries.Tried) is not { } other)
            return await OutcomeOfAsync(first, opening);
        var second = tries.NewAttempt(_parts, other, cancellationToken);
        ModelRefusal? noSecond;
        try
        {
            noSecond = await ReserveAsync(second);
        }
        catch
        {
            await DropAsync(first, opening, AttemptOutcome.Abandoned);
            throw;
        }
        return noSecond is null ? await RaceAsync(first, opening, second, second.OpenAsync()) : await OutcomeOfAsync(first, opening);
    }

    private static async Task<Opened> RaceAsync(Attempt first, Task<Fault?> opening, Attempt second, Task<Fault?> secondOpening)
    {
        var isFirst = await Task.WhenAny(opening, secondOpening) == opening;
        var (quick, quickOpening, slow, slowOpening) = isFirst ? (first, opening, second, secondOpening) : (second, secondOpening, first, opening);
        Opened outcome;
        try
        {
            outcome = await OutcomeOfAsync(quick, quickOpening);
        }
        catch
        {
            await DropAsync(slow, slowOpening, AttemptOutcome.Abandoned);
            throw;
        }
        if (outcome.Attempt is null && outcome.Fault is { Effect.FailsOver: true })
            return await OutcomeOfAsync(slow, slowOpening);
        await DropAsync(slow, slowOpening, AttemptOutcome.Overtaken);
        return outcome;
    }

    /// <summary>An attempt that nobody waits for any more: it ends now, and is accounted for like every other.</summary>
    private static async Task DropAsync(Attempt attempt, Task<Fault?> opening, AttemptOutcome outcome)
    {
        await attempt.CancelAsync();
        try
        {
            await opening;
        }
        catch (OperationCanceledException)
        {
            // As was asked.
        }
        finally
        {
            await using (attempt)
                await attempt.EndAsync(outcome, fault: null);
        }
    }

    private static async Task<Opened> OutcomeOfAsync(Attempt attempt, Task<Fault?> opening)
    {
        try
        {
            if (await opening is not { } fault)
                return new Opened(attempt, null, null);
            await using (attempt)
                await attempt.EndAsync(AttemptOutcome.Failed, fault);
            return new Opened(null, fault, null);
        }
        catch
        {
            await using (attempt)
                await attempt.EndAsync(AttemptOutcome.Abandoned, fault: null);
            throw;
        }
    }

    private static async ValueTask<ModelRefusal?> ReserveAsync(Attempt attempt)
    {
        ModelRefusal? refusal = null;
        var isReserved = false;
        try
        {
            refusal = await attempt.ReserveAsync();
            isReserved = refusal is null;
        }
        finally
        {
            if (!isReserved)
                await EndUnsentAsync(attempt);
        }
        return refusal;
    }

    private static async Task EndUnsentAsync(Attempt attempt)
    {
        await using (attempt)
            await attempt.EndAsync(AttemptOutcome.Abandoned, fault: null);
    }

    private static async Task DeliverAsync(Attempt attempt, ModelCall call, int attempts, IModelReply reply)
    {
        await using (attempt)
        {
            reply.SetHeader(call.Operation.IsAnthropic() ? "request-id" : "x-request-id", call.Id.ToString());
            reply.SetHeader("x-astra-model", attempt.Target.Name);
            if (attempts > 1)
                reply.SetHeader("x-astra-attempts", attempts.ToString(CultureInfo.InvariantCulture));
            var outcome = AttemptOutcome.Abandoned;
            try
            {
                outcome = await attempt.DeliverAsync(reply);
            }
            finally
            {
                await attempt.EndAsync(outcome, fault: null);
            }
        }
    }

    private TimeSpan? HedgeDelay(Tries tries, Target target) =>
        tries.Route is { Hedge: true, Targets.Count: > 1 } && tries.Call.Priority != CallPriority.Low && target.Breaker.State == BreakerState.Closed
            ? target.LatencyOf(tries.Scan.IsStream).P95
            : null;

    private static ModelRefusal WhyNobody(ModelRoute route, Operation operation)
    {
        var able = route.Targets.Where(target => target.CanServe(operation)).ToList();
        if (able.Count == 0)
            return ModelRefusal.NotOffered(route.Name);
        // As soon as one of them could be asked again, it is worth asking.
        var isAnyUp = able.Any(target => target.Breaker.WouldPass);
        return ModelRefusal.AllResting(route.Name, isAnyUp ? able.Where(target => target.Breaker.WouldPass).Min(target => target.Provider.KeyRest) : TimeSpan.Zero);
    }

    /// <summary>Nobody who would be asked can count: the bytes say roughly how many there are, and a header says that it is rough.</summary>
    private static async Task EstimateAsync(ModelCall call, IModelReply reply, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, int> { ["input_tokens"] = call.Body.Length / BytesPerToken + 1 });
        reply.SetHeader("request-id", call.Id.ToString());
        reply.SetHeader("x-astra-estimated", "true");
        reply.Start(200, "application/json", body.Length);
        reply.Body.Write(body);
        await reply.Body.FlushAsync(cancellationToken);
    }

    private static async Task RefuseAsync(ModelCall call, IModelReply reply, ModelRefusal refusal, CancellationToken cancellationToken, ReadOnlyMemory<byte> ownWords = default)
    {
        var isAnthropic = call.Operation.IsAnthropic();
        var id = call.Id.ToString();
        reply.SetHeader(isAnthropic ? "request-id" : "x-request-id", id);
        RefusalHeaders.Set(refusal, reply.SetHeader);
        var body = ownWords.Length > 0 ? ownWords : DialectErrors.Body(isAnthropic, refusal, id);
        reply.Start(refusal.Status, "application/json", body.Length);
        reply.Body.Write(body.Span);
        await reply.Body.FlushAsync(cancellationToken);
    }

    /// <summary>An attempt with content, or why there is none.</summary>
    private readonly record struct Opened(Attempt? Attempt, Fault? Fault, ModelRefusal? Refusal);

    private sealed record Failed(ModelRefusal Refusal, ReadOnlyMemory<byte> OwnWords = default);

    /// <summary>What has been tried for one request.</summary>
    private sealed class Tries(ModelCall call, RequestScan scan, ModelRoute route, Deadline total)
    {
        /// <summary>A bit for each target of the route.</summary>
        public ulong Tried;

        public ModelCall Call => call;
        public RequestScan Scan => scan;
        public ModelRoute Route => route;
        public int Count { get; private set; }

        /// <summary>The last attempt was made in another dialect than the client's.</summary>
        public bool IsConverted { get; private set; }

        public Attempt NewAttempt(RouterParts parts, NextTarget next, CancellationToken cancellationToken)
        {
            Count++;
            var attempt = new Attempt(parts, call, scan, next, total, cancellationToken);
            IsConverted = attempt.IsConverted;
            return attempt;
        }
    }
}
