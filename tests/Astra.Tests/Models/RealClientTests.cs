using System.Diagnostics;
using System.Text.Json;
using Astra.Llm.Config;

namespace Astra.Tests.Models;

/// <summary>The clients that people use, as npm has them, against a whole server. They are installed once, beside the tests.</summary>
public sealed class RealClientTests
{
    private static readonly TimeSpan InstallTimeMax = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan CheckTimeMax = TimeSpan.FromMinutes(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_clients_of_OpenAI_Anthropic_and_Vercel_understand_every_answer_and_every_refusal()
    {
        var directory = Path.Combine(AppContext.BaseDirectory, "Models", "Clients");
        Assert.SkipUnless(await RunAsync("node", ["--version"], directory, CheckTimeMax) is (0, _), "There is no node here.");
        if (!Directory.Exists(Path.Combine(directory, "node_modules", "openai")))
        {
            var installed = await RunAsync("npm", ["install", "--no-audit", "--no-fund", "--silent"], directory, InstallTimeMax);
            Assert.SkipUnless(installed is (0, _), "npm reaches no registry with the clients here.");
        }

        await using var world = await ModelWorld.StartAsync();
        var openai = world.Provider(OpenAi);
        var anthropic = world.Provider(Anthropic);
        await world.Desk.ChangeAsync(_ => new ModelConfig
        {
            Providers =
            [
                new ProviderConfig("a", ProviderKind.OpenAi, $"{openai.Root}/v1") { Models = [new ModelEntry("m1"), new ModelEntry("tools"), new ModelEntry("embed"), new ModelEntry("cut")] },
                new ProviderConfig("b", ProviderKind.Anthropic, anthropic.Root) { Models = [new ModelEntry("m1"), new ModelEntry("count"), new ModelEntry("cut")] },
            ],
        }, Ct);
        var (exitCode, output) = await RunAsync("node", ["check.mjs", world.Server.Address.ToString().TrimEnd('/'), world.Key], directory, CheckTimeMax);
        Assert.True(exitCode == 0, output);
        var results = JsonElement.Parse(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);

        void Is(string name, string expected) => Assert.Equal($"{name} {expected}", $"{name} {results.GetProperty(name)}");
        Is("openai.chat", "hello");
        Is("openai.stream", "hello 13");
        Is("openai.tools", "{\"city\":\"Bonn\"}");
        Is("openai.over.anthropic", "hello");
        Is("openai.embeddings", "[0.5,-2]");
        Is("openai.models", "True");
        Is("openai.responses", "hello");
        Is("openai.responses.stream", "hello");
        Is("openai.cut", """{"kind":"APIError","status":null,"code":"upstream_cut","type":"server_error"}""");
        Is("openai.unknown", """{"kind":"NotFoundError","status":404,"code":"model_not_found","type":"invalid_request_error"}""");
        Is("openai.key", """{"kind":"AuthenticationError","status":401,"code":"invalid_api_key","type":"authentication_error"}""");
        Is("anthropic.message", "hello");
        Is("anthropic.stream", "hello");
        Is("anthropic.count", "14");
        Is("anthropic.over.openai", "hello");
        Is("anthropic.tools", "{\"city\":\"Bonn\"}");
        Assert.Contains("Error", results.GetProperty("anthropic.cut").GetProperty("kind").GetString()!, StringComparison.Ordinal);
        Assert.Equal("NotFoundError", results.GetProperty("anthropic.unknown").GetProperty("kind").GetString());
        Is("ai.generate", "hello");
        Is("ai.stream", "hello 2");
        Is("ai.tools", "{\"city\":\"Bonn\"}");
        Is("ai.embed", "[0.5,-2]");
        Is("ai.cut", "error part");
    }

    private static ModelScript OpenAi(ModelRequest request) => request.Json.GetProperty("model").GetString() switch
    {
        "tools" => ModelScript.ToolCall(request.IsStream),
        "cut" => ModelScript.Stream(ModelScript.Chunk(ModelScript.Role), ModelScript.Chunk(ModelScript.Delta("half")), new Until(Task.Delay(100)), new Cut()),
        // As many local servers do: numbers, whatever is asked.
        "embed" => ModelScript.Whole(200, """{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-2]}],"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}}"""),
        _ => request.IsStream ? ModelScript.ChatStream("hel", "lo") : ModelScript.Chat("hello"),
    };

    private static ModelScript Anthropic(ModelRequest request) => request.Json.GetProperty("model").GetString() switch
    {
        "count" => ModelScript.Whole(200, """{"input_tokens":14}"""),
        "cut" => ModelScript.Stream([.. ModelScript.MessageBegin, ModelScript.MessageDelta("half"), new Until(Task.Delay(100)), new Cut()]),
        _ => request.IsStream ? ModelScript.MessageStream("hel", "lo") : ModelScript.Message("hello"),
    };

    /// <summary>Null when there is no such program.</summary>
    private static async Task<(int ExitCode, string Output)?> TryRunAsync(string program, IReadOnlyList<string> arguments, string directory, TimeSpan timeMax)
    {
        using var process = new Process { StartInfo = new ProcessStartInfo(program, arguments) { WorkingDirectory = directory, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true } };
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(timeMax);
        var output = process.StandardOutput.ReadToEndAsync(patience.Token);
        var errors = process.StandardError.ReadToEndAsync(patience.Token);
        try
        {
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, await output + (process.ExitCode == 0 ? "" : await errors));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return (-1, $"{program} took longer than {timeMax.TotalSeconds:0} s.");
        }
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string program, IReadOnlyList<string> arguments, string directory, TimeSpan timeMax) =>
        await TryRunAsync(program, arguments, directory, timeMax) ?? (-1, $"There is no {program} here.");
}
