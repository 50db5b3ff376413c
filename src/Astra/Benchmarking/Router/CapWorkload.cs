using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Astra.Sdk;

namespace Astra.Benchmarking.Router;

/// <summary>256 calls at once at a cap that pays for exactly twenty of them: by how much of it they pass it.</summary>
/// <remarks>The model of this suite says that it has answered eleven tokens. Reading is free here, and the answer is bounded by eleven, so
/// that what a call may cost and what it comes to is the same.</remarks>
internal sealed class CapWorkload(SeparateServer server, Action<string> progress)
{
    public const string Name = "cap-256";

    private const int CallCount = 256;
    private const int PaidCalls = 20;
    private const int AnswerTokens = 11;
    private const long NanosPerToken = 10_000;
    private const long CallNanos = AnswerTokens * NanosPerToken;
    private const long Cap = PaidCalls * CallNanos;

    public async Task<IReadOnlyList<Figure>> RunAsync(int runCount, CancellationToken cancellationToken)
    {
        var client = server.Session.Client;
        await client.SetPriceAsync(new PriceView("bench", "m", DateTimeOffset.UnixEpoch, new RatesView(0, 0, 0, NanosPerToken * 1_000_000, NanosPerToken * 1_000_000)), cancellationToken);
        using var connections = new SocketsHttpHandler { MaxConnectionsPerServer = CallCount };
        using var http = new HttpClient(connections) { BaseAddress = server.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.ApiKey);
        var (overspend, made) = (new List<double>(), new List<double>());
        for (var run = 1; run <= runCount; run++)
        {
            progress($"{Name}: run {run} of {runCount}");
            var goal = Guid.NewGuid();
            await client.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Goal, Of = goal.ToString(), Window = BudgetWindow.Total, CapNanos = Cap }, cancellationToken);
            var answers = await Task.WhenAll(Enumerable.Range(0, CallCount).Select(_ => AskAsync(http, goal, cancellationToken)));
            var spent = answers.Count(isMade => isMade) * CallNanos;
            overspend.Add(Math.Max(0, (spent - Cap) / (double)Cap));
            made.Add(spent / CallNanos);
            await client.RemoveBudgetAsync(BudgetLevel.Goal, goal.ToString(), BudgetWindow.Total, cancellationToken);
        }
        return [new Figure(RouterSuite.Name, Name, "overspend", "ratio", overspend), new Figure(RouterSuite.Name, Name, "made", "calls", made)];
    }

    private static async Task<bool> AskAsync(HttpClient http, Guid goal, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent($$"""{"model":"bench/m","max_tokens":{{AnswerTokens}},"messages":[{"role":"user","content":"Go on."}]}""", Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("x-astra-goal", goal.ToString());
        using var answer = await http.SendAsync(request, cancellationToken);
        return answer.StatusCode switch
        {
            HttpStatusCode.OK => true,
            HttpStatusCode.TooManyRequests => false,
            _ => throw new InvalidOperationException($"An answer was not what was asked for: {await answer.Content.ReadAsStringAsync(cancellationToken)}"),
        };
    }
}
