namespace Astra.Hosting;

/// <summary>Everything a server is started with.</summary>
public sealed record ServerOptions
{
    public const int DefaultPort = 7777;
    public const double AgentGoalsPerSecondDefault = 10;
    public const int AgentGoalsBurstPerRate = 10;
    public const double HistoryDaysDefault = 90;
    public const double RecordingsDaysDefault = 30;

    public required string DataDirectory { get; init; }

    /// <summary>Somebody else's PostgreSQL; null runs a private cluster under the data directory.</summary>
    public string? DatabaseUrl { get; init; }

    /// <summary>Loopback unless asked otherwise: a server that the network can reach is a decision, not a default.</summary>
    public string ListenAddress { get; init; } = "127.0.0.1";

    /// <summary>0 takes any free port, for a server that lives as long as one command.</summary>
    public int Port { get; init; }

    /// <summary>What the server has to say while it runs, a line at a time.</summary>
    public required TextWriter Log { get; init; }

    public bool Verbose { get; init; }

    /// <summary>The log is for programs.</summary>
    public bool IsJsonLog { get; init; }

    /// <summary>/metrics takes no key.</summary>
    public bool MetricsAreOpen { get; init; }

    /// <summary>The configuration of models; `models.json` in the data directory when null.</summary>
    public string? ModelsFile { get; init; }

    /// <summary>While no provider is configured, servers of models on this machine are looked for.</summary>
    public bool FindsModels { get; init; } = true;

    /// <summary>Goals that an agent may submit for other agents.</summary>
    public double AgentGoalsPerSecond { get; init; } = AgentGoalsPerSecondDefault;

    /// <summary>How long the log keeps what happened to goals that are over.</summary>
    public TimeSpan HistoryKept { get; init; } = TimeSpan.FromDays(HistoryDaysDefault);

    /// <summary>How long what a goal's tasks were answered is kept after its end; null keeps it for good.</summary>
    public TimeSpan? RecordingsKept { get; init; } = TimeSpan.FromDays(RecordingsDaysDefault);

    /// <summary>Where traces go; null makes none.</summary>
    public TraceOptions? Traces { get; init; }

    /// <summary>Networks that messages of hooks may go to although they are not public.</summary>
    public IReadOnlyList<System.Net.IPNetwork> HookNetworks { get; init; } = [];

    /// <summary>Agents that run inside the server, beside those the binary ships with.</summary>
    public IReadOnlyList<Sdk.Agent> Agents { get; init; } = [];
}

/// <param name="Collector">Null when the standard variables OTEL_EXPORTER_OTLP_* say it all.</param>
public sealed record TraceOptions(Uri? Collector, bool IsGrpc);
