using System.Diagnostics;
using System.Text.Json;
using Astra.Sdk;
using Astra.Tests.Structure;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>The SDK as its users get it: a package, and nothing else of this repository.</summary>
public sealed class SdkPackageTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const string Abstractions = "microsoft.extensions.ai.abstractions";

    private static readonly string OwnPackages =
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task An_agent_written_against_the_packed_SDK_completes_a_goal_on_a_running_server()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = _machine.ServeAsync(_machine.Data, "--database", database.Address);
        // Built anew, beside whatever build runs this test, and with the caches of whoever builds Astra.
        await Dotnet(isUsersOwn: false, "pack", Path.Combine(Repository.Root, "src/Astra.Sdk"), "-c", "Release", "-v", "q",
            "--artifacts-path", _machine.Folder("sdk-build"), "-o", _machine.Folder("packages"), "-p:UseSharedCompilation=false").EndsWithAsync(0);
        foreach (var file in (string[])["Program.cs", "hello-agent.csproj"])
            _machine.Write($"agent/{file}", await File.ReadAllTextAsync(Path.Combine(Repository.Root, "examples/hello-agent", file), TestContext.Current.CancellationToken));
        _machine.Write("agent/nuget.config", """<configuration><packageSources><clear /><add key="packed" value="../packages" /></packageSources></configuration>""");
        // What the SDK needs itself, as the feed has it that a user has.
        foreach (var package in Directory.GetFiles(Path.Combine(OwnPackages, Abstractions), "*.nupkg", SearchOption.AllDirectories))
            File.Copy(package, Path.Combine(_machine.Folder("packages"), Path.GetFileName(package)));
        await DotnetAsync("build", Path.Combine(_machine.Root, "agent"), "-o", Path.Combine(_machine.Root, "built"), "-v", "q", "-p:UseSharedCompilation=false");
        Assert.Equal(["astra.sdk", Abstractions], Directory.GetDirectories(Path.Combine(_machine.Root, "restored")).Select(Path.GetFileName).Order());

        await server;
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        var agent = Dotnet(Path.Combine(_machine.Root, "built/hello-agent.dll"), client.Address.ToString(), Path.Combine(_machine.Data.Path, "admin.key"));
        await Eventually.HoldsAsync(
            "the agent is connected",
            async () => (await client.ListAgentsAsync(cancellationToken: TestContext.Current.CancellationToken)).Items.Any(known => known is { Name: "hello", WorkerCount: > 0 }),
            agent.ToString);
        var goal = await client.SubmitAsync(
            new GoalSubmission { Agent = "hello", Input = JsonSerializer.SerializeToElement(new[] { "Ada", "Alan" }) },
            cancellationToken: TestContext.Current.CancellationToken);
        await foreach (var _ in client.FollowAsync(goal.Id, cancellationToken: TestContext.Current.CancellationToken))
        {
            // The stream ends when the goal does.
        }

        Assert.Equal(GoalState.Completed, (await client.GetGoalAsync(goal.Id, TestContext.Current.CancellationToken)).State);
        var plan = await client.GetPlanAsync(goal.Id, TestContext.Current.CancellationToken);
        var greeting = await client.GetTaskAsync(plan.Tasks.Single(task => task.Name == "greet Ada").Id, TestContext.Current.CancellationToken);
        Assert.Equal("Hello, Ada!", greeting.Output?.GetString());
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private Task DotnetAsync(params string[] arguments) => Dotnet(arguments).EndsWithAsync(0);

    private AstraProcess Dotnet(params string[] arguments) => Dotnet(isUsersOwn: true, arguments);

    /// <param name="isUsersOwn">Somebody with an empty home, who has never seen this repository.</param>
    private AstraProcess Dotnet(bool isUsersOwn, params string[] arguments)
    {
        var start = new ProcessStartInfo(AstraMachine.Dotnet, arguments) { WorkingDirectory = _machine.Root };
        if (isUsersOwn)
        {
            start.Environment["HOME"] = _machine.Folder("home");
            start.Environment["NUGET_PACKAGES"] = _machine.Folder("restored");
        }
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_SKIP_FIRST_TIME_EXPERIENCE"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        // No compiler or build node stays behind to wait for more work.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        return _machine.Run(start);
    }
}
