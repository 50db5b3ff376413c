using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Astra.Governance;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Structure;

namespace Astra.Tests.EndToEnd;

/// <summary>examples/python-worker as a real process: the worker protocol from outside of .NET, with workers that die, pause and wake.</summary>
public sealed partial class PythonWorkerTests : IAsyncLifetime
{
    private readonly List<PythonWorker> _workers = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-python-").FullName;
    private ServerFixture _server = null!;
    private AstraClient _client = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(PythonWorker.Python is not null, "There is no python3 here.");
        _server = await ServerFixture.StartAsync();
        _client = await _server.ClientAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
            worker.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_worker_of_the_standard_library_alone_plans_works_and_reflects()
    {
        await StartAsync();
        var goal = await SubmitAsync(Step("a", "upper", "hello"), Step("b", "upper", "größe"));
        var result = (await _client.FinishAsync(goal, Ct)).Result!.Value;
        Assert.Equal(["GRÖSSE", "HELLO"], result.EnumerateArray().Select(word => word.GetString()!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_worker_that_is_paused_for_longer_than_its_lease_and_wakes_is_late()
    {
        var paused = await StartAsync();
        var goal = await SubmitAsync(Step("nap", "sleep", 8));
        await paused.SaysAsync("task nap attempt 1");
        // With more free slots than the silent one has: the next attempt goes to whoever has most.
        var second = await StartAsync(slots: 10);
        paused.Signal(Pause);
        await second.SaysAsync("task nap attempt 2");
        paused.Signal(Continue);
        await paused.SaysAsync("late attempt 1");
        Assert.Equal(GoalState.Completed, (await _client.FinishAsync(goal, Ct)).State);
        Assert.Equal(2, await AttemptOfAsync(goal, "nap"));
    }

    [Fact]
    public async Task What_dead_and_silent_processes_held_is_all_given_to_another()
    {
        var victims = new List<PythonWorker>();
        for (var i = 0; i < 4; i++)
            victims.Add(await StartAsync(slots: 15));
        var goal = await SubmitAsync([.. Enumerable.Range(0, 56).Select(i => Step($"t{i}", "sleep", 600))]);
        await WaitAsync(async () => (await _client.GetGoalAsync(goal, Ct)).Tasks.Running == 56);
        // So many slots that it has more free than any silent one has, whatever it holds already.
        await StartAsync(slots: 200);
        for (var i = 0; i < victims.Count; i++)
            victims[i].Signal(i % 2 == 0 ? Kill : Pause);
        await WaitAsync(async () => (await _client.GetPlanAsync(goal, Ct)).Tasks.Count(task => task.State == TaskState.Running && task.Attempt == 2) == 56);
        foreach (var victim in victims.Where((_, i) => i % 2 == 1))
            victim.Signal(Continue);
        var dead = await _client.ListDeadGroupsAsync(Ct);
        Assert.Empty(dead);
    }

    [Fact]
    public async Task A_worker_killed_after_its_effect_was_recorded_does_not_make_it_again()
    {
        var ledger = Path.Combine(_directory, "ledger");
        await StartAsync();
        var goal = await SubmitAsync(Step("pay", "charge", new { file = ledger, dieAfterFirst = true }));
        await WaitAsync(() => Task.FromResult(_workers[0].HasExited));
        await StartAsync();
        Assert.Equal(GoalState.Completed, (await _client.FinishAsync(goal, Ct)).State);
        Assert.Equal(2, await AttemptOfAsync(goal, "pay"));
        Assert.Single(await File.ReadAllLinesAsync(ledger, Ct));
    }

    [Fact]
    public async Task A_worker_killed_between_intent_and_outcome_leaves_the_step_to_a_person()
    {
        await StartAsync();
        var goal = await SubmitAsync(Step("pay", "charge", new { file = Path.Combine(_directory, "ledger"), dieWhile = true }));
        await foreach (var happened in _client.FollowAsync(goal, 0, Ct))
            if (happened.Kind == "effect_lost")
                break;
        await StartAsync();
        var unknown = Assert.Single((await _client.ListUnknownEffectsAsync(cancellationToken: Ct)).Items);
        await _client.ResolveEffectAsync(unknown.Task.Id, new EffectResolution(EffectState.Sent, AstraJson.ToElement("found in the books")), Ct);
        Assert.Equal("found in the books", (await _client.FinishAsync(goal, Ct)).Result!.Value[0].GetString());
    }

    private const int Kill = 9;
    private const int Continue = 18;
    private const int Pause = 19;

    private async Task<PythonWorker> StartAsync(int slots = 4)
    {
        var key = Path.Combine(_directory, $"key-{_workers.Count}");
        await File.WriteAllTextAsync(key, await _server.NewKeyAsync(Role.Member), Ct);
        var worker = new PythonWorker(_server.Address, key, slots);
        _workers.Add(worker);
        await worker.SaysAsync("welcome");
        return worker;
    }

    private async Task<Guid> SubmitAsync(params object[] steps) =>
        (await _client.SubmitAsync(new GoalSubmission { Agent = "python", Input = AstraJson.ToElement(steps) }, cancellationToken: Ct)).Id;

    // One second is the shortest lease there is.
    private static object Step(string name, string kind, object input) => new { name, kind, input, leaseSeconds = 1 };

    private async Task<int> AttemptOfAsync(Guid goal, string step) => (await _client.GetPlanAsync(goal, Ct)).Tasks.Single(task => task.Name == step).Attempt;

    private static async Task WaitAsync(Func<Task<bool>> isSo)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(TimeSpan.FromMinutes(1));
        while (!await isSo())
            await Task.Delay(20, patience.Token);
    }

    private sealed partial class PythonWorker : IDisposable
    {
        private readonly Process _process;
        private readonly ConcurrentQueue<string> _lines = new();

        public PythonWorker(Uri address, string keyFile, int slots)
        {
            var start = new ProcessStartInfo(Python!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var word in (string[])[Path.Combine(Repository.Root, "examples", "python-worker", "worker.py"), address.ToString().TrimEnd('/'), "--slots", slots.ToString()])
                start.ArgumentList.Add(word);
            start.Environment["ASTRA_KEY_FILE"] = keyFile;
            start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
            _process = Process.Start(start)!;
            _process.OutputDataReceived += (_, said) => _lines.Enqueue(said.Data ?? "");
            _process.ErrorDataReceived += (_, said) => _lines.Enqueue(said.Data ?? "");
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public static string? Python { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(directory => Path.Combine(directory, "python3")).FirstOrDefault(File.Exists);

        public bool HasExited => _process.HasExited;

        public async Task SaysAsync(string start)
        {
            try
            {
                await WaitAsync(() => Task.FromResult(_lines.Any(line => line.StartsWith(start, StringComparison.Ordinal))));
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"The worker never said '{start}'. It said: {string.Join(" | ", _lines)}");
            }
        }

        public void Signal(int signal) => Assert.Equal(0, SendSignal(_process.Id, signal));

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }

        [LibraryImport("libc", EntryPoint = "kill")]
        private static partial int SendSignal(int process, int signal);
    }
}
