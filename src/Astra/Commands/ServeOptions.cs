using System.CommandLine;
using System.Net;
using Astra.Gateway;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>How a server that stays is started: where it listens, and how it is watched.</summary>
public sealed class ServeOptions
{
    private const string Json = "json";
    private const string Text = "text";

    public Option<string> Listen { get; } = new("--listen")
    {
        Description = "The address to listen on. Anything but 127.0.0.1 lets the network reach the server.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    public Option<int> Port { get; } = new("--port")
    {
        Description = "The port to listen on; 0 takes any that is free.",
        HelpName = "PORT",
        DefaultValueFactory = _ => ServerOptions.DefaultPort,
    };

    public Option<string> Log { get; } = new("--log")
    {
        Description = "What the log is written as: text for people, json for programs.", HelpName = "text|json", DefaultValueFactory = _ => Text,
    };

    public Option<string?> Otlp { get; } = new("--otlp")
    {
        Description = "Send traces to this OTLP collector (default: OTEL_EXPORTER_OTLP_ENDPOINT; without either there are none).", HelpName = "URL",
    };

    public Option<bool> OpenMetrics { get; } = new("--open-metrics") { Description = "Answer /metrics without a key, to whoever reaches the server." };

    public Option<string?> Models { get; } = new("--models")
    {
        Description = "The file that configures models (default: models.json in the data directory; `astra model` changes it).", HelpName = "FILE",
    };

    public Option<bool> NoLocalModels { get; } = new("--no-local-models") { Description = "Do not look for servers of models on this machine while no provider is configured." };

    public Option<double> AgentGoals { get; } = new("--agent-goals")
    {
        Description = "How many goals a second an agent may submit for other agents on this server, after ten times as many at once.", HelpName = "RATE",
        DefaultValueFactory = _ => ServerOptions.AgentGoalsPerSecondDefault,
    };

    public Option<double> KeepHistory { get; } = new("--keep-history")
    {
        Description = "How many days the history of goals that are over is kept at least; what a goal came to stays for good.", HelpName = "DAYS",
        DefaultValueFactory = _ => ServerOptions.HistoryDaysDefault,
    };

    public Option<double> KeepRecordings { get; } = new("--keep-recordings")
    {
        Description = "How many days what models and tools answered a goal is kept after its end, for replays; 0 keeps it for good.", HelpName = "DAYS",
        DefaultValueFactory = _ => ServerOptions.RecordingsDaysDefault,
    };

    public Option<string[]> HookAllow { get; } = new("--hook-allow")
    {
        Description = "Let hooks reach this network although it is not public, such as 127.0.0.1 or 10.1.0.0/16, and without encryption. May be given more than once.", HelpName = "NETWORK",
    };

    public ServeOptions()
    {
        KeepHistory.Validators.Add(result => Inputs.Between(result, "--keep-history", 1, 36_500));
        KeepRecordings.Validators.Add(result => Inputs.Between(result, "--keep-recordings", 0, 36_500));
        AgentGoals.Validators.Add(result => Inputs.Between(result, "--agent-goals", 0.1, 10_000));
        HookAllow.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string[]>()?.FirstOrDefault(network => NetworkOf(network) is null) is { } wrong)
                result.AddError($"--hook-allow takes an address or a network, such as 127.0.0.1 or 10.1.0.0/16, not {wrong}");
        });
        Listen.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { } address || !IPAddress.TryParse(address, out _))
                result.AddError("--listen takes an IP address, such as 127.0.0.1 or 0.0.0.0");
        });
        Port.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var port) && port is < 0 or > 65535)
                result.AddError($"--port takes a number from 0 to 65535, not {port}");
        });
        Log.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not (Text or Json))
                result.AddError("--log takes text or json");
        });
        Otlp.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
                result.AddError("--otlp takes a URL, such as http://collector.example:4318");
        });
    }

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[Listen, Port, Log, Otlp, OpenMetrics, HookAllow, Models, NoLocalModels, AgentGoals, KeepHistory, KeepRecordings])
            command.Options.Add(option);
    }

    public bool IsJsonLog(ParseResult parsed) => parsed.GetValue(Log) == Json;

    public Func<ServerOptions, ServerOptions> Of(ParseResult parsed, Surroundings surroundings)
    {
        var collector = parsed.GetValue(Otlp);
        return options => options with
        {
            ListenAddress = parsed.GetValue(Listen)!,
            Port = parsed.GetValue(Port),
            IsJsonLog = IsJsonLog(parsed),
            MetricsAreOpen = parsed.GetValue(OpenMetrics),
            ModelsFile = parsed.GetValue(Models) is { } models ? Path.GetFullPath(models) : null,
            FindsModels = !parsed.GetValue(NoLocalModels),
            AgentGoalsPerSecond = parsed.GetValue(AgentGoals),
            HistoryKept = TimeSpan.FromDays(parsed.GetValue(KeepHistory)),
            RecordingsKept = parsed.GetValue(KeepRecordings) is > 0 and var days ? TimeSpan.FromDays(days) : null,
            HookNetworks = [.. (parsed.GetValue(HookAllow) ?? []).Select(network => NetworkOf(network)!.Value)],
            Traces = collector is not null
                ? new TraceOptions(new Uri(collector), surroundings.Environment("OTEL_EXPORTER_OTLP_PROTOCOL") is "grpc")
                : TraceExport.Variables.Any(name => !string.IsNullOrWhiteSpace(surroundings.Environment(name))) ? new TraceOptions(null, false) : null,
        };
    }

    private static IPNetwork? NetworkOf(string text) =>
        IPAddress.TryParse(text, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : IPNetwork.TryParse(text, out var network) ? network
        : null;
}
