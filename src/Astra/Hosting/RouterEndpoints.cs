using System.Collections.Concurrent;
using System.IO.Pipelines;
using Astra.Agents;
using Astra.Llm;
using Astra.Llm.Money;
using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>The router, as agents in this process ask it: as over HTTP, with the task as the spender, and without the way there.</summary>
public sealed class RouterEndpoints(ModelRouter router) : IAttemptModels
{
    public IModelEndpoint Of(ModelPayer payer, string kind, CancellationToken ended) =>
        new Endpoint(router, new Spender(payer.Tenant, payer.Agent, payer.Goal, payer.Task), payer.Attempt, kind, ended);

    private sealed class Endpoint(ModelRouter router, Spender spender, int attempt, string kind, CancellationToken ended) : IModelEndpoint
    {
        public Uri? Address => null;

        public async ValueTask<ModelResponse> PostAsync(ModelOperation operation, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
        {
            if (ended.IsCancellationRequested)
                throw new ModelRefusedException(409, "attempt_over", "The attempt is over, and nothing is asked for it any more.", retryAfter: null, isPassing: false);
            var call = new ModelCall(operation == ModelOperation.Embeddings ? Operation.Embeddings : Operation.Chat, body, spender) { Id = Guid.CreateVersion7(), Attempt = attempt, Kind = kind };
            var leaving = CancellationTokenSource.CreateLinkedTokenSource(ended, cancellationToken);
            var reply = new PipedReply();
            var answering = reply.FillAsync(to => router.AnswerAsync(call, to, leaving.Token));
            try
            {
                await reply.Started;
            }
            catch
            {
                await LeaveAsync();
                throw;
            }
            return new ModelResponse(reply.Status, reply.Header, reply.Reader.AsStream(), LeaveAsync);

            async ValueTask LeaveAsync()
            {
                await leaving.CancelAsync();
                // What it was answered with is accounted for before this returns.
                await answering;
                leaving.Dispose();
            }
        }
    }

    /// <summary>An answer that stays in this process, no further ahead of its reader than a pipe holds.</summary>
    private sealed class PipedReply : IModelReply
    {
        private readonly Pipe _pipe = new();
        private readonly ConcurrentDictionary<string, string> _headers = new(StringComparer.OrdinalIgnoreCase);
        private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Status { get; private set; }
        public Task Started => _started.Task;
        public PipeReader Reader => _pipe.Reader;
        public PipeWriter Body => _pipe.Writer;

        public string? Header(string name) => _headers.GetValueOrDefault(name);

        public void SetHeader(string name, string value) => _headers[name] = value;

        public void Start(int status, string contentType, long? length)
        {
            Status = status;
            _started.TrySetResult();
        }

        /// <summary>Never throws: whoever reads is told.</summary>
        public async Task FillAsync(Func<IModelReply, Task> answer)
        {
            try
            {
                await answer(this);
                await _pipe.Writer.CompleteAsync();
                _started.TrySetException(new IOException("The router gave no answer."));
            }
            catch (Exception e)
            {
                await _pipe.Writer.CompleteAsync(e);
                _started.TrySetException(e);
            }
        }
    }
}
