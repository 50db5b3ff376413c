using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Durability;
using Astra.Tests.Models;

namespace Astra.Tests.EndToEnd;

/// <summary>What a stream came to: at its end, in its client's dialect, and afterwards by its id.</summary>
public sealed class StreamUsageTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly AstraMachine _machine = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_says_at_its_end_what_it_came_to_and_its_id_leads_to_the_same_afterwards()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, request => request.IsStream ? ModelScript.ChatStream("so ", "be it") : ModelScript.Chat("so be it"));
        await servers.StartAsync(0);
        var server = _machine.DataOf("server-0");
        using var http = new HttpClient { BaseAddress = server.ReadServerFile()!.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", server.ReadAdminKey());

        var chat = await AskAsync("/v1/chat/completions", """{"model":"box/m1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}""", "x-request-id");
        var told = chat.Events.Single(data => data.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object).GetProperty("usage");
        Assert.Equal((11, 2, 13), (told.GetProperty("prompt_tokens").GetInt32(), told.GetProperty("completion_tokens").GetInt32(), told.GetProperty("total_tokens").GetInt32()));
        var untold = await AskAsync("/v1/chat/completions", """{"model":"box/m1","stream":true,"messages":[{"role":"user","content":"hi"}]}""", "x-request-id");
        Assert.DoesNotContain(untold.Events, data => data.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object);
        var message = await AskAsync("/v1/messages", """{"model":"box/m1","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}""", "request-id");
        Assert.Equal(2, message.Events.Single(data => data.GetProperty("type").GetString() == "message_delta").GetProperty("usage").GetProperty("output_tokens").GetInt32());
        var response = await AskAsync("/v1/responses", """{"model":"box/m1","stream":true,"input":"hi"}""", "x-request-id");
        var completed = response.Events.Single(data => data.GetProperty("type").GetString() == "response.completed").GetProperty("response").GetProperty("usage");
        Assert.Equal((11, 2), (completed.GetProperty("input_tokens").GetInt32(), completed.GetProperty("output_tokens").GetInt32()));
        var whole = await AskAsync("/v1/chat/completions", """{"model":"box/m1","messages":[{"role":"user","content":"hi"}]}""", "x-request-id");

        foreach (var id in (Guid[])[chat.Id, untold.Id, message.Id, response.Id, whole.Id])
        {
            var usage = await servers.Client.GetRequestUsageAsync(id, Ct);
            var attempt = Assert.Single(usage.Attempts);
            Assert.Equal((id, ModelServers.CostOf(2)), (usage.Request, usage.CostNanos));
            Assert.Equal(("box/m1", AttemptEnd.Completed, false, 11, 2, ModelServers.CostOf(2)), (attempt.Model, attempt.Outcome, attempt.IsEstimated, attempt.InputTokens, attempt.OutputTokens, attempt.CostNanos));
        }
        var shown = await _machine.StartOn(server, "usage", "--request", chat.Id.ToString()).EndsWithAsync(0);
        Assert.Contains("box/m1", shown.Out, StringComparison.Ordinal);
        var unknown = await Assert.ThrowsAsync<AstraException>(() => servers.Client.GetRequestUsageAsync(Guid.CreateVersion7(), Ct));
        Assert.Equal(404, unknown.Status);

        async Task<(Guid Id, IReadOnlyList<JsonElement> Events)> AskAsync(string path, string body, string header)
        {
            using var answer = await http.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"), Ct);
            var text = await answer.Content.ReadAsStringAsync(Ct);
            Assert.True(answer.IsSuccessStatusCode, text);
            var data = text.Split('\n').Where(line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(line => JsonElement.Parse(line[6..])).ToList();
            return (Guid.Parse(Assert.Single(answer.Headers.GetValues(header))), data);
        }
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
