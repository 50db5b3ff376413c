using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Agents.Replaying;

/// <summary>
/// What a model is told beside what it is asked: how much its budgets have left. Answers are recorded behind this port, where the
/// router has them; this figure is not in any answer, and goes on the tape as if a tool had given it.
/// </summary>
internal static class TapedModels
{
    // No tool can have this name.
    private static readonly ToolCall DollarsLeft = new("$dollars-left", null);

    private static readonly ToolReceipt NoReceipt = new() { Tool = DollarsLeft.Tool, SandboxTier = "none", ExitCode = 0, LimitsHit = [], NotEnforced = [], DurationMs = 0 };

    private sealed record Left(decimal? Dollars = null);

    public static IModels Recording(IModels models, IToolRecords records, Assignment of) => new Recorded(models, records, of);

    public static IModels Replayed(IModels models, IToolGate tape) => new FromTape(models, tape);

    private sealed class Recorded(IModels models, IToolRecords records, Assignment of) : IModels
    {
        public ValueTask<ModelReply> AskAsync(ModelQuestion question, CancellationToken cancellationToken) => models.AskAsync(question, cancellationToken);

        public async ValueTask<decimal?> DollarsLeftAsync(ModelPayer payer, CancellationToken cancellationToken)
        {
            var left = await models.DollarsLeftAsync(payer, cancellationToken);
            records.Add(of, DollarsLeft, new ToolResult(AstraJson.ToElement(new Left(left)), NoReceipt));
            return left;
        }
    }

    private sealed class FromTape(IModels models, IToolGate tape) : IModels
    {
        public ValueTask<ModelReply> AskAsync(ModelQuestion question, CancellationToken cancellationToken) => models.AskAsync(question, cancellationToken);

        public async ValueTask<decimal?> DollarsLeftAsync(ModelPayer payer, CancellationToken cancellationToken) =>
            (await tape.CallAsync(DollarsLeft, cancellationToken)).As<Left>().Dollars;
    }
}
