using System.Net;
using Astra.Agents;
using Astra.Agents.Replaying;
using Astra.Governance;
using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Tools.Catalog;
using Astra.Tools.Webhooks;

namespace Astra.Gateway;

/// <summary>Every bound and address of the gateway. By default nobody but this machine reaches it.</summary>
public sealed record GatewayOptions
{
    /// <summary>Port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 0);

    public long RequestBytesMax { get; init; } = 64L << 20;
    /// <summary>What the kernel takes as a message; said at the door, before it is read.</summary>
    public int MessageBytesMax { get; init; } = 256 * 1024;

    public int ConnectionsMax { get; init; } = 10_000;

    /// <summary>How long a client that has begun to send the head of a request may take to finish it.</summary>
    public TimeSpan RequestHeadTimeMax { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a request waits for the kernel; the database is gone or overloaded by then.</summary>
    public TimeSpan AnswerTimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a request waits for the new owner of what it is about. Longer than the lease of a node that has
    /// died, and the time until the others have heard who came after it.</summary>
    public TimeSpan MovingTimeMax { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A silent event stream says that it lives.</summary>
    public TimeSpan KeepAlivePeriod { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a revoked key still holds on to a connection it had opened. Its next request fails at once.</summary>
    public TimeSpan KeyCheckPeriod { get; init; } = TimeSpan.FromSeconds(5);

    public string Version { get; init; } = "";

    /// <summary>What `status` says about the database and the sandbox.</summary>
    public string Database { get; init; } = "";
    public string SandboxTier { get; init; } = "none";

    /// <summary>Whoever reaches the listener may read /metrics. Otherwise it takes the key of whoever runs the server.</summary>
    public bool MetricsAreOpen { get; init; }

    public required DateTimeOffset StartedAt { get; init; }
}

/// <summary>What the gateway stands in front of.</summary>
public sealed record GatewayParts
{
    public required KernelNode Node { get; init; }
    public required HttpBus Bus { get; init; }
    public required IApiKeyStore Keys { get; init; }
    public required ITenantStore Tenants { get; init; }
    public required IAgentStore Agents { get; init; }

    /// <summary>Null over a store that keeps none: then no agent is a profile.</summary>
    public IProfileStore? Profiles { get; init; }

    /// <summary>The tenant whose admins run this server.</summary>
    public required TenantId HomeTenant { get; init; }

    /// <summary>Null over a store that keeps none: then there is nothing under /hooks.</summary>
    public HookDesk? Hooks { get; init; }

    /// <summary>Null over a store that keeps none: then there is nothing under /budgets, /usage, /prices and /secrets.</summary>
    public MoneyParts? Money { get; init; }

    /// <summary>Null where no models are offered: then there is nothing under /v1.</summary>
    public ModelDesk? Models { get; init; }

    /// <summary>Null over a store that keeps no recordings: then no goal can be replayed.</summary>
    public GoalReplay? Replay { get; init; }

    public required ToolCatalog Catalog { get; init; }
    public required ToolGate Tools { get; init; }
    public required FileArtifacts Artifacts { get; init; }
    public required ProgressFeed Progress { get; init; }

    /// <summary>Asked by /ready: null when the database answers, otherwise one sentence.</summary>
    public Func<CancellationToken, ValueTask<string?>> DatabaseProblem { get; init; } = _ => ValueTask.FromResult<string?>(null);

    /// <summary>How many transactions the database has committed; null when nobody counts.</summary>
    public Func<CancellationToken, ValueTask<long?>> DatabaseCommits { get; init; } = _ => ValueTask.FromResult<long?>(null);

    /// <summary>Called when somebody asked the server to stop; returns at once.</summary>
    public required Action RequestStop { get; init; }

    /// <summary>Told about mistakes of the server, never about those of its callers, and whom they concern.</summary>
    public Action<string, Exception, LogIds> OnError { get; init; } = static (_, _, _) => { };
}
