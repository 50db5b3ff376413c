using System.IO.Pipelines;
using Astra.Agents;
using Astra.Llm;
using Astra.Llm.Money;

namespace Astra.Hosting;

/// <summary>The router, as agents without code ask it: within this process, with the task as the spender, so that every budget there is
/// for it holds.</summary>
public sealed class RouterModels(ModelRouter router, IBudgets budgets) : IModels
{
    public async ValueTask<ModelReply> AskAsync(ModelQuestion question, CancellationToken cancellationToken)
    {
        var allowance = new Allowance(question.DollarsMax is { } dollars ? Nanodollars.FromDollars(dollars) : null, question.AnswerTokensMax);
        var reply = new KeptReply();
        await router.AnswerAsync(
            new ModelCall(Operation.Chat, question.Chat, SpenderOf(question.Payer)) { Id = Guid.CreateVersion7(), Attempt = question.Payer.Attempt, Allowance = allowance }, reply, cancellationToken);
        return new ModelReply(reply.Status, await reply.ReadAsync(), (decimal)allowance.Spent.Value / Nanodollars.PerDollar, reply.Model);
    }

    public async ValueTask<decimal?> DollarsLeftAsync(ModelPayer payer, CancellationToken cancellationToken) =>
        await budgets.LeftAsync(SpenderOf(payer), cancellationToken) is { } left ? (decimal)left.Value / Nanodollars.PerDollar : null;

    private static Spender SpenderOf(ModelPayer payer) => new(payer.Tenant, payer.Agent, payer.Goal, payer.Task);

    /// <summary>An answer that stays in this process.</summary>
    private sealed class KeptReply : IModelReply
    {
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));

        public int Status { get; private set; }
        public string? Model { get; private set; }
        public PipeWriter Body => _pipe.Writer;

        public void SetHeader(string name, string value)
        {
            if (name == "x-astra-model")
                Model = value;
        }

        public void Start(int status, string contentType, long? length) => Status = status;

        public async Task<byte[]> ReadAsync()
        {
            await _pipe.Writer.CompleteAsync();
            using var kept = new MemoryStream();
            await _pipe.Reader.CopyToAsync(kept);
            await _pipe.Reader.CompleteAsync();
            return kept.ToArray();
        }
    }
}
