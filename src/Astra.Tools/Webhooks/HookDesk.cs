using System.Net.Sockets;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Tools.Webhooks;

/// <summary>What people do with hooks. The secret of a new one leaves here once.</summary>
public sealed class HookDesk(IHookStore store, HookSecrets secrets, WebhookSender sender, HookMetrics metrics, TimeProvider clock)
{
    private const int HooksMax = 20;
    private const int UrlLengthMax = 2_000;
    private const int MessagesShown = 50;

    public HookMetrics Metrics => metrics;

    public async ValueTask<Answer<NewHook>> AddAsync(Caller caller, HookRequest request, CancellationToken cancellationToken)
    {
        var kinds = request.Kinds is { Count: > 0 } asked ? asked.Distinct(StringComparer.Ordinal).ToList() : [HookKinds.NewGroup];
        if (await CheckAsync(request.Url, kinds, cancellationToken) is { } refusal)
            return refusal;
        var now = clock.GetUtcNow();
        var hook = new Hook(caller.Tenant, new HookId(Guid.CreateVersion7(now)), request.Url, kinds, caller.Principal, now);
        var secret = HookSecrets.NewSecret();
        return await store.AddAsync(hook, secrets.Seal(hook.Tenant, hook.Id, secret), HooksMax, cancellationToken)
            ? new NewHook(ToView(new HookStanding(hook, 0, 0, null, null, null)), HookSecrets.ToText(secret))
            : new Refusal(RefusalKind.Conflict, $"A tenant has at most {HooksMax} hooks; remove one first.");
    }

    public async ValueTask<IReadOnlyList<HookView>> ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        [.. (await store.ListAsync(tenant, cancellationToken)).Select(ToView)];

    public async ValueTask<Answer<HookDetail>> GetAsync(TenantId tenant, HookId id, CancellationToken cancellationToken)
    {
        if ((await store.ListAsync(tenant, cancellationToken)).FirstOrDefault(standing => standing.Hook.Id == id) is not { } hook)
            return Unknown(id);
        var messages = await store.ListMessagesAsync(tenant, id, MessagesShown, cancellationToken);
        return new HookDetail(ToView(hook), [.. messages.Select(ToView)]);
    }

    /// <summary>One try, here and now, through everything that a message goes through. Should this process die meanwhile, it
    /// stays in the outbox like any other.</summary>
    public async ValueTask<Answer<DeliveryView>> TestAsync(Caller caller, HookId id, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (await store.PostTestAsync(caller.Tenant, id, FailureMessages.OfTest(id, caller.Principal, now), cancellationToken) is not { } message)
            return Unknown(id);
        var outcome = await sender.SendAsync(message, cancellationToken);
        metrics.Count(outcome, isLast: true);
        await store.SettleAsync(message, outcome with { IsFinal = true }, retryAfter: null, CancellationToken.None);
        return new DeliveryView(
            WebhookSignature.IdOf(message.Id), message.Kind, outcome.IsDelivered ? DeliveryState.Delivered : DeliveryState.Failed, message.Attempt, now,
            EndedAt: clock.GetUtcNow(), Status: outcome.Status, Problem: outcome.Problem);
    }

    public async ValueTask<Refusal?> RemoveAsync(TenantId tenant, HookId id, CancellationToken cancellationToken) =>
        await store.RemoveAsync(tenant, id, cancellationToken) ? null : Unknown(id);

    public async ValueTask<IReadOnlyList<FailureEventView>> ListEventsAsync(TenantId tenant, long after, int countMax, CancellationToken cancellationToken) =>
        [.. (await store.ListEventsAsync(tenant, after, countMax, cancellationToken)).Select(happened => AstraJson.Read<FailureEventView>(happened.Body.Span) with { Seq = happened.Seq })];

    private async ValueTask<Refusal?> CheckAsync(string url, IReadOnlyList<string> kinds, CancellationToken cancellationToken)
    {
        if (kinds.FirstOrDefault(kind => !HookKinds.All.Contains(kind)) is { } unknown)
            return Invalid($"There is nothing called '{PlainText(unknown)}' to be told of; there is {string.Join(" and ", HookKinds.All)}.");
        if (url.Length > UrlLengthMax || !Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http") || uri.Host.Length == 0)
            return Invalid($"A hook has an address such as https://example.org/astra, of at most {UrlLengthMax} characters.");
        if (uri.UserInfo.Length > 0 || uri.Fragment.Length > 0)
            return Invalid("The address of a hook has no password and no fragment in it; its receiver knows a message by the signature.");
        if (url.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter) || char.IsSurrogate(letter)))
            return Invalid("The address of a hook has no spaces and no control characters in it.");
        try
        {
            await sender.ResolveAsync(uri, cancellationToken);
            return null;
        }
        catch (AddressRefusedException e)
        {
            return Invalid(e.Message);
        }
        catch (SocketException)
        {
            // A name that is not known yet may be later; every try looks again.
            return null;
        }
    }

    private static HookView ToView(HookStanding standing) => new(
        standing.Hook.Id.Value, standing.Hook.Url, standing.Hook.Kinds, standing.Hook.CreatedBy, standing.Hook.CreatedAt,
        standing.Waiting, standing.Failed, standing.DeliveredAt, standing.NextAt, standing.Problem);

    private static DeliveryView ToView(HookMessage message) => new(
        WebhookSignature.IdOf(message.Id), message.Kind, message.State switch
        {
            MessageState.Waiting => DeliveryState.Waiting,
            MessageState.Delivered => DeliveryState.Delivered,
            _ => DeliveryState.Failed,
        },
        message.Attempt, message.CreatedAt, message.DueAt, message.EndedAt, message.Status, message.Problem);

    private static string PlainText(string text) => string.Concat(text.Take(60).Select(letter => char.IsControl(letter) || char.IsSurrogate(letter) ? ' ' : letter));

    private static Refusal Invalid(string sentence) => new(RefusalKind.Invalid, sentence);

    private static Refusal Unknown(HookId id) => new(RefusalKind.NotFound, $"There is no hook {id} here; `hook list` prints those there are.");
}
