using System.Diagnostics;
using System.IO.Pipelines;
using System.Text.Json;
using Astra.Kernel;
using Astra.Llm.Money;

namespace Astra.Llm.Config;

/// <summary>How a model did when it was tried.</summary>
public sealed record ModelTrial(string Model, bool IsFine, TimeSpan Duration, string? Problem);

/// <summary>
/// The configuration of models while the server runs: the file, what is found on this machine while the file names nobody, and
/// changes by commands, which go through the file. A file that somebody broke by hand is said once, and what held goes on.
/// </summary>
public sealed class ModelDesk : IAsyncDisposable
{
    private static readonly TimeSpan WatchPeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SearchPeriod = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan TrialTimeMax = TimeSpan.FromMinutes(2);

    private readonly ModelConfigFile _file;
    private readonly LocalServers? _local;
    private readonly Action<string> _say;
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private IReadOnlyList<ProviderConfig> _found = [];
    private DateTime? _readAt;
    private string? _problem;
    private Task _watching = Task.CompletedTask;

    /// <param name="local">Null when nothing is looked for on this machine.</param>
    public ModelDesk(ModelRouter router, ModelConfigFile file, LocalServers? local, Action<string> say) => (Router, _file, _local, _say) = (router, file, local, say);

    public ModelRouter Router { get; }

    /// <summary>What holds now: the file's, or what was found.</summary>
    public ModelConfig Config => Router.Config;

    /// <summary>Found on this machine, not configured.</summary>
    public bool IsFound(string provider) => _found.Any(found => found.Name == provider);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Load();
        await SearchAsync(cancellationToken);
        _watching = WatchAsync();
    }

    /// <summary>Changes the file; what comes of it holds at once.</summary>
    /// <exception cref="ModelConfigException">What was asked for cannot be, and nothing has changed.</exception>
    public async Task ChangeAsync(Func<ModelConfig, ModelConfig> change, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            var changed = change(_file.Read());
            if (ModelConfigRules.Problem(changed) is { } problem)
                throw new ModelConfigException(problem);
            _file.Write(changed);
            Apply(changed);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Looks at this machine again; nothing when providers are configured.</summary>
    public async Task SearchAsync(CancellationToken cancellationToken)
    {
        if (_local is null || _file.ChangedAt is not null && Config.Providers.Any(provider => !IsFound(provider.Name)))
            return;
        var found = await _local.FindAsync(cancellationToken);
        if (found.Count == 0 && _found.Count == 0)
            return;
        if (found.Select(provider => provider.Name).Except(_found.Select(provider => provider.Name)).ToList() is { Count: > 0 } news)
            _say($"models: found {string.Join(", ", news)} on this machine");
        _found = found;
        Apply(TryRead() ?? ModelConfig.Empty);
    }

    /// <summary>Asks a model for one token, past everything that is known against it.</summary>
    public async Task<ModelTrial> TryAsync(string model, Spender spender, CancellationToken cancellationToken)
    {
        Router.Forgive(spender.Tenant, model);
        var body = JsonSerializer.SerializeToUtf8Bytes(new
        {
            model, max_tokens = 1, messages = (object[])[new { role = "user", content = "Say yes." }],
        });
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TrialTimeMax);
        var reply = new TrialReply();
        var began = Stopwatch.GetTimestamp();
        await Router.AnswerAsync(new ModelCall(Operation.Chat, body, spender) { Id = Guid.CreateVersion7() }, reply, patience.Token);
        return new ModelTrial(model, reply.Status == 200, Stopwatch.GetElapsedTime(began), reply.Status == 200 ? null : await reply.ProblemAsync());
    }

    /// <summary>Where the models of a provider run, as far as it says so; null where it does not.</summary>
    public Task<string?> BackendOfAsync(ProviderConfig provider, CancellationToken cancellationToken) =>
        _local is null ? Task.FromResult<string?>(null) : _local.BackendOfAsync(provider, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        _stopping.Dispose();
        _changing.Dispose();
        _local?.Dispose();
        await Router.DisposeAsync();
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(WatchPeriod);
        var searchedAt = Stopwatch.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                if (_file.ChangedAt != _readAt)
                    Load();
                if (Stopwatch.GetElapsedTime(searchedAt) < SearchPeriod)
                    continue;
                searchedAt = Stopwatch.GetTimestamp();
                await SearchAsync(_stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private void Load()
    {
        if (TryRead() is { } config)
            Apply(config);
    }

    private ModelConfig? TryRead()
    {
        try
        {
            _readAt = _file.ChangedAt;
            var config = _file.Read();
            _problem = null;
            return config;
        }
        catch (ModelConfigException e)
        {
            if (_problem != e.Message)
                _say($"{e.Message} What held before goes on.");
            _problem = e.Message;
            return null;
        }
    }

    private void Apply(ModelConfig config)
    {
        _readAt = _file.ChangedAt;
        if (config.Providers.Count > 0)
            _found = [];
        Router.Configure(config.Providers.Count > 0 ? config : config with { Providers = _found });
    }

    /// <summary>An answer that nobody reads, but for what is wrong with it.</summary>
    private sealed class TrialReply : IModelReply
    {
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));

        public int Status { get; private set; }
        public PipeWriter Body => _pipe.Writer;

        public void SetHeader(string name, string value)
        {
        }

        public void Start(int status, string contentType, long? length) => Status = status;

        public async Task<string> ProblemAsync()
        {
            await _pipe.Writer.CompleteAsync();
            var body = await _pipe.Reader.ReadAtLeastAsync(int.MaxValue);
            try
            {
                using var json = JsonDocument.Parse(body.Buffer);
                return json.RootElement.GetProperty("error").GetProperty("message").GetString() ?? $"It answered {Status}.";
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                return $"It answered {Status}.";
            }
        }
    }
}
