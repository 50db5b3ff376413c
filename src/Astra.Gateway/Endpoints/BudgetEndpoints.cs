using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Llm.Money;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using MoneyLevel = Astra.Llm.Money.BudgetLevel;
using MoneyWindow = Astra.Llm.Money.BudgetWindow;
using WireLevel = Astra.Sdk.BudgetLevel;
using WireWindow = Astra.Sdk.BudgetWindow;

namespace Astra.Gateway;

/// <summary>What may be spent on models: a tenant's budgets for its own people, the platform's for whoever runs the server.</summary>
internal sealed class BudgetEndpoints(GatewayParts parts, MoneyParts money, TimeProvider clock)
{
    private const int BudgetsMax = 10_000;
    private const int TierLengthMax = 60;
    private static readonly Nanodollars CapMax = Nanodollars.FromDollars(1_000_000_000);

    /// <summary>What somebody who runs the server has set, a tenant's own admin does not raise.</summary>
    private const string OperatorPrefix = "operator:";

    public void Map(IEndpointRouteBuilder api)
    {
        var budgets = api.MapGroup("/budgets").WithTags("Budgets");
        budgets.MapGet("", (Delegate)List).Produces<IReadOnlyList<BudgetView>>().WithSummary("The tenant's budgets and where they stand.");
        budgets.MapPut("", Set).For(Access.OrgAdmin).Produces<BudgetView>().WithSummary("Set a budget, or set it anew. It counts from the beginning of its window.");
        budgets.MapDelete("", Remove).For(Access.OrgAdmin).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a budget.");
        budgets.MapPost("/forgive", Forgive).For(Access.OrgAdmin).Produces<BudgetForgiven>().WithSummary("Say that what dead servers held of a budget was not spent.");

        var platform = api.MapGroup("/platform/budgets").For(Access.Operator).WithTags("Budgets");
        platform.MapGet("", (Delegate)ListOfPlatform).Produces<IReadOnlyList<BudgetView>>().WithSummary("The platform's budgets and where they stand.");
        platform.MapPut("", SetAsOperator).Produces<BudgetView>().WithSummary("Set a budget of the platform, or of a tenant, which its own admins cannot raise.");
        platform.MapDelete("", RemoveOfPlatform).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a budget of the platform.");
        platform.MapPost("/forgive", ForgiveOfPlatform).Produces<BudgetForgiven>().WithSummary("Say that what dead servers held of the platform's budget was not spent.");
    }

    private Task<IResult> List(HttpContext http) => ListAsync(http.Principal().Tenant, http.RequestAborted);

    private Task<IResult> ListOfPlatform(HttpContext http) => ListAsync(BudgetKey.Platform, http.RequestAborted);

    private async Task<IResult> Set(BudgetRequest request, HttpContext http)
    {
        if (request.Level == WireLevel.Platform || request.Tenant is not null)
            return Invalid("A budget of the platform, or of a tenant that is named, is set by whoever runs the server, under /platform/budgets.");
        var tenant = http.Principal().Tenant;
        var (key, problem) = KeyOf(tenant, request.Level, request.Of, request.Window);
        if (problem is not null)
            return Invalid(problem);
        if (ProblemOf(request) is { } wrong)
            return Invalid(wrong);
        if (await FindAsync(key, http.RequestAborted) is { Budget: { Cap: { } cap } set } && set.SetBy.StartsWith(OperatorPrefix, StringComparison.Ordinal) && request.CapNanos > cap.Value)
            return Problems.Of(StatusCodes.Status403Forbidden, $"Whoever runs the server has set {key} to {cap}; it can be made less here, and more only there.");
        return await SetAsync(key, request, http.Principal().Caller.Principal, http.RequestAborted);
    }

    private async Task<IResult> SetAsOperator(BudgetRequest request, HttpContext http)
    {
        var tenant = BudgetKey.Platform;
        if (request.Level != WireLevel.Platform)
        {
            if (request is not { Level: WireLevel.Tenant, Tenant: { } name })
                return Invalid("Whoever runs the server sets budgets of the platform, and of a tenant that is named with `tenant`.");
            if (await parts.Tenants.FindAsync(name, http.RequestAborted) is not { } named)
                return Problems.Of(StatusCodes.Status404NotFound, $"There is no tenant '{Words.Clean(name)}' here.");
            tenant = named;
        }
        var (key, problem) = KeyOf(tenant, request.Level, request.Of, request.Window);
        return (problem ?? ProblemOf(request)) is { } wrong ? Invalid(wrong) : await SetAsync(key, request, OperatorPrefix + http.Principal().Key.Name, http.RequestAborted);
    }

    private async Task<IResult> SetAsync(BudgetKey key, BudgetRequest request, string setBy, CancellationToken cancellationToken)
    {
        if ((await money.Budgets.ListAsync(key.Tenant, clock.GetUtcNow(), cancellationToken)) is { Count: >= BudgetsMax } known && known.All(standing => standing.Budget.Key != key))
            return Problems.Of(StatusCodes.Status409Conflict, $"A tenant has at most {BudgetsMax:N0} budgets; remove those of goals and tasks that are over.");
        var now = clock.GetUtcNow();
        var degrade = request.DegradeAtPercent is { } percent ? new Degradation(percent, request.DegradeTo!) : null;
        await money.Budgets.SetAsync(new Budget(key, new Nanodollars(request.CapNanos), degrade, setBy, now), now, cancellationToken);
        // Whoever is told that a cap is set may send the next call to any server.
        await money.Ledger.SpreadAsync(cancellationToken);
        return Replies.Json(ToView((await FindAsync(key, cancellationToken))!));
    }

    private static string? ProblemOf(BudgetRequest request)
    {
        if (request.CapNanos < 0 || request.CapNanos > CapMax.Value)
            return $"A budget is $0 to {CapMax}; capNanos is in nano-dollars.";
        if (request.DegradeAtPercent is null != request.DegradeTo is null || request.DegradeAtPercent is < 1 or > 100)
            return "A budget that degrades says from how many percent on (1 to 100) and to which tier.";
        return request.DegradeTo is { } tier && (tier.Length is 0 or > TierLengthMax || !Words.IsPlain(tier)) ? $"A tier's name is one line of 1 to {TierLengthMax} characters." : null;
    }

    private Task<IResult> Remove(string? level, string? of, string? window, HttpContext http)
    {
        if (!TryRead(level, out WireLevel known) || known == WireLevel.Platform)
            return Task.FromResult(Invalid("level is tenant, agent, goal, task or key."));
        return RemoveAsync(http.Principal().Tenant, known, of, window, http, isOperator: false);
    }

    private Task<IResult> RemoveOfPlatform(string? window, HttpContext http) => RemoveAsync(BudgetKey.Platform, WireLevel.Platform, null, window, http, isOperator: true);

    private async Task<IResult> RemoveAsync(TenantId tenant, WireLevel level, string? of, string? window, HttpContext http, bool isOperator)
    {
        if (!TryRead(window, out WireWindow known))
            return Invalid("window is day, month or total.");
        var (key, problem) = KeyOf(tenant, level, of, known);
        if (problem is not null)
            return Invalid(problem);
        if (await FindAsync(key, http.RequestAborted) is not { } standing)
            return Problems.Of(StatusCodes.Status404NotFound, $"There is no such budget: {key}.");
        if (!isOperator && standing.Budget.SetBy.StartsWith(OperatorPrefix, StringComparison.Ordinal))
            return Problems.Of(StatusCodes.Status403Forbidden, $"Whoever runs the server has set {key}, and removes it.");
        var now = clock.GetUtcNow();
        await money.Budgets.SetAsync(standing.Budget with { Cap = null, Degrade = null, SetBy = http.Principal().Caller.Principal, SetAt = now }, now, http.RequestAborted);
        await money.Ledger.RefreshAsync(http.RequestAborted);
        return Results.NoContent();
    }

    private Task<IResult> Forgive(BudgetForgiveRequest request, HttpContext http) => request.Level == WireLevel.Platform
        ? Task.FromResult(Invalid("What the platform's budget has lost is forgiven by whoever runs the server, under /platform/budgets."))
        : ForgiveAsync(http.Principal().Tenant, request, http.RequestAborted);

    private Task<IResult> ForgiveOfPlatform(BudgetForgiveRequest request, HttpContext http) =>
        ForgiveAsync(BudgetKey.Platform, request with { Level = WireLevel.Platform, Of = null }, http.RequestAborted);

    private async Task<IResult> ForgiveAsync(TenantId tenant, BudgetForgiveRequest request, CancellationToken cancellationToken)
    {
        var (key, problem) = KeyOf(tenant, request.Level, request.Of, request.Window);
        return problem is not null ? Invalid(problem) : Replies.Json(new BudgetForgiven((await money.Budgets.ForgiveAsync(key, cancellationToken)).Value));
    }

    private async Task<IResult> ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        Replies.Json((await money.Budgets.ListAsync(tenant, clock.GetUtcNow(), cancellationToken)).Select(ToView).ToList());

    private async ValueTask<BudgetStanding?> FindAsync(BudgetKey key, CancellationToken cancellationToken) =>
        (await money.Budgets.ListAsync(key.Tenant, clock.GetUtcNow(), cancellationToken)).FirstOrDefault(standing => standing.Budget.Key == key);

    private static (BudgetKey Key, string? Problem) KeyOf(TenantId tenant, WireLevel level, string? of, WireWindow window)
    {
        var problem = level switch
        {
            WireLevel.Platform or WireLevel.Tenant => of is null ? null : "A budget of the platform or of a tenant names nothing else.",
            WireLevel.Agent => of is not null && AgentRunner.IsName(of) ? null : "Say which agent with `of`: its name.",
            _ => Guid.TryParse(of, out _) ? null : $"Say which {level.ToString().ToLowerInvariant()} with `of`: its id.",
        };
        var name = problem is not null || of is null ? "" : level == WireLevel.Agent ? of : Guid.Parse(of).ToString("D");
        return (new BudgetKey(tenant, (MoneyLevel)((int)level + 1), name, (MoneyWindow)((int)window + 1)), problem);
    }

    private static bool TryRead<T>(string? word, out T value) where T : struct, Enum => Enum.TryParse(word, ignoreCase: true, out value) && Enum.IsDefined(value);

    private static IResult Invalid(string sentence) => Problems.Of(StatusCodes.Status422UnprocessableEntity, sentence);

    private static BudgetView ToView(BudgetStanding standing) => new()
    {
        Level = ToWire(standing.Budget.Key.Level),
        Of = standing.Budget.Key.Of.Length == 0 ? null : standing.Budget.Key.Of,
        Window = ToWire(standing.Budget.Key.Window),
        CapNanos = standing.Budget.Cap!.Value.Value,
        SpentNanos = standing.Spent.Value,
        HeldNanos = standing.Held.Value,
        LostNanos = standing.Lost.Value,
        LeftNanos = standing.Left.Value,
        StartsAt = standing.Budget.Key.Window == MoneyWindow.Total ? standing.Budget.SetAt : standing.Period.BeginsAt,
        ResetsAt = standing.Period.EndsAt,
        DegradeAtPercent = standing.Budget.Degrade?.AtPercent,
        DegradeTo = standing.Budget.Degrade?.ToTier,
        SetBy = standing.Budget.SetBy,
        SetAt = standing.Budget.SetAt,
    };

    internal static WireLevel ToWire(MoneyLevel level) => (WireLevel)((int)level - 1);

    internal static WireWindow ToWire(MoneyWindow window) => (WireWindow)((int)window - 1);
}
