using System.Text.Json;
using Astra.Sdk;
using Astra.Tools.Sandboxes;

namespace Astra.Tools.Catalog;

/// <summary>What the composition root tells the gate.</summary>
public sealed record ToolGateOptions
{
    /// <summary>What "astra" stands for at the start of a tool's command.</summary>
    public AstraProgram? Astra { get; init; }

    /// <summary>Never mounted, whatever is granted: the server's own data, with its keys.</summary>
    public IReadOnlyCollection<string> NeverReadable { get; init; } = [];

    /// <summary>Told of every run that has ended, on the thread that ran it: return quickly.</summary>
    public Action<ToolRun>? OnRun { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>The server's own binary as it runs inside a sandbox.</summary>
/// <param name="Command">Program and first arguments, for instance the .NET host and the assembly.</param>
/// <param name="Mounts">The directories that it needs: its own, and the one of the runtime.</param>
/// <param name="Environment">For instance where the runtime is.</param>
public sealed record AstraProgram(
    IReadOnlyList<string> Command, IReadOnlyList<ReadOnlyMount> Mounts, IReadOnlyDictionary<string, string> Environment);

/// <summary>
/// The one way to a tool: finds it, checks the authority and the input, runs it in a sandbox, turns the receipt into
/// one for people. Without a sandbox every call is refused; nothing is ever run bare.
/// </summary>
public sealed class ToolGate(ToolCatalog catalog, Func<ISandbox> sandbox, ToolAuthority authority, ToolGateOptions options)
{
    /// <summary>Where a program that acts on the outside world finds the key of its effect. It is a name, not a secret.</summary>
    public const string IdempotencyKeyVariable = "ASTRA_IDEMPOTENCY_KEY";

    /// <summary>The gate as one task sees it.</summary>
    public IToolGate For(ToolSubject subject) => new SubjectGate(this, subject);

    private async ValueTask<ToolResult> CallAsync(ToolSubject subject, ToolCall call, CancellationToken cancellationToken)
    {
        var tool = catalog.Find(call.Tool)
            ?? throw new ToolRefusedException($"There is no tool '{call.Tool}' here; `astra tool list` shows what there is.");
        var grants = authority(subject);
        if (!grants.Allows(tool))
            throw new ToolRefusedException($"{Describe(subject)} may not use the tool {tool.Label}.");
        var input = AstraJson.ToElement(call.Input);
        if (tool.Definition.NeedsPerson && !(subject.Approved is { } approved && catalog.Find(approved.Tool) == tool && JsonElement.DeepEquals(approved.Input, input)))
            throw new ToolRefusedException($"{tool.Label} needs a person's approval for every call, and nobody has approved this one; make it a step of its own, and people are asked.");
        if (tool.Definition.InputSchema is { } schema && InputSchema.Check(schema, input) is { } problem)
            throw new ToolRefusedException($"The input of {tool.Label} is not of its schema. {problem}");

        if (tool.Definition.Effects == ToolEffects.Outside && call.IdempotencyKey is null)
            throw new ToolRefusedException($"{tool.Label} acts on the outside world; call it inside turn.EffectAsync with the key that gives, or make it a step of its own.");

        var program = tool.Form.Shape(tool.Definition, input);
        var spec = ToSpec(tool.Definition, program, [.. call.Reads.Concat(program.Reads).Select(mount => Check(mount, subject, grants))], call);
        var result = await RunAsync(subject, tool, spec, cancellationToken);
        var receipt = ToReceipt(tool, result.Receipt);
        if (result.Receipt.LimitsHit.Any(limit => limit != SandboxLimit.ErrorOutput))
            throw new ToolFailedException($"{tool.Label} {ToolWords.LimitFailure(result.Receipt, spec.Limits)}", receipt);
        var outcome = tool.Form.Read(input, result);
        return outcome.Failure is { } failure
            ? throw new ToolFailedException($"{tool.Label} {failure}", receipt)
            : new ToolResult(outcome.Output, receipt);
    }

    private async ValueTask<SandboxResult> RunAsync(ToolSubject subject, CatalogTool tool, SandboxSpec spec, CancellationToken cancellationToken)
    {
        if (options.OnRun is not { } tell)
            return await RunAsync(spec, cancellationToken);
        var (began, at) = (options.Clock.GetTimestamp(), options.Clock.GetUtcNow());
        var outcome = "refused";
        try
        {
            var result = await RunAsync(spec, cancellationToken);
            outcome = result.Receipt.LimitsHit.Count > 0 ? "limited" : result.Receipt.ExitCode == 0 ? ToolRun.Done : "failed";
            return result;
        }
        catch (OperationCanceledException)
        {
            outcome = "cancelled";
            throw;
        }
        finally
        {
            tell(new ToolRun(subject, tool.Label, at, options.Clock.GetElapsedTime(began), outcome));
        }
    }

    private async ValueTask<SandboxResult> RunAsync(SandboxSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            return await sandbox().RunAsync(spec, cancellationToken);
        }
        catch (Exception e) when (e is SandboxUnavailableException or ArgumentException)
        {
            throw new ToolRefusedException(e.Message);
        }
    }

    /// <summary>The mount with its real path, so that what was checked is what is mounted.</summary>
    private ReadOnlyMount Check(ToolMount mount, ToolSubject subject, ToolGrants grants)
    {
        if (!Path.IsPathFullyQualified(mount.HostPath))
            throw new ToolRefusedException($"'{mount.HostPath}' is not an absolute path.");
        // Whether something exists outside the granted roots is not the caller's business: the answer is the same.
        var path = HostPaths.Resolve(mount.HostPath);
        if (path is null && Roots(grants.ReadableRoots).Any(root => HostPaths.IsInside(Path.GetFullPath(mount.HostPath), root)))
            throw new ToolRefusedException($"There is no {mount.HostPath} to read.");
        if (path is null || !Roots(grants.ReadableRoots).Any(root => HostPaths.IsInside(path, root)))
            throw new ToolRefusedException($"{Describe(subject)} may not read {mount.HostPath}: it is outside of what was granted.");
        if (Roots(options.NeverReadable).Any(secret => HostPaths.IsInside(path, secret) || HostPaths.IsInside(secret, path)))
            throw new ToolRefusedException($"{mount.HostPath} holds the server's own data, which no tool may read.");
        return new ReadOnlyMount(path, mount.InsidePath);
    }

    private static IEnumerable<string> Roots(IEnumerable<string> paths) => paths.Select(HostPaths.Resolve).OfType<string>();

    private SandboxSpec ToSpec(ToolDefinition definition, ToolProgram program, IReadOnlyList<ReadOnlyMount> reads, ToolCall call)
    {
        var own = definition.Mounts.Select(mount => new ReadOnlyMount(mount.HostPath, mount.InsidePath));
        var command = program.Command;
        var astra = command[0] != "astra" ? null
            : options.Astra ?? throw new ToolRefusedException($"This server does not offer its own binary to tools, which {definition.Name} needs.");
        if (astra is not null)
            command = [.. astra.Command, .. command.Skip(1)];
        var limits = definition.Limits;
        var environment = new Dictionary<string, string>(astra?.Environment ?? new Dictionary<string, string>(), StringComparer.Ordinal);
        if (call.IdempotencyKey is { } key)
            environment[IdempotencyKeyVariable] = key;
        return new SandboxSpec
        {
            Program = command[0],
            Arguments = [.. command.Skip(1)],
            Mounts = [.. own, .. astra?.Mounts ?? [], .. reads],
            Environment = environment,
            Input = program.Input,
            Limits = new SandboxLimits
            {
                Wall = call.Deadline is { } shorter && shorter < limits.Wall && shorter > TimeSpan.Zero ? shorter : limits.Wall,
                Cpu = limits.Cpu,
                MemoryBytes = limits.MemoryBytes,
                Pids = limits.Processes,
                ScratchBytes = limits.ScratchBytes,
                OutputBytes = limits.OutputBytes,
            },
        };
    }

    private static ToolReceipt ToReceipt(CatalogTool tool, SandboxReceipt receipt) => new()
    {
        Tool = tool.Label,
        SandboxTier = receipt.TierName,
        ExitCode = receipt.ExitCode,
        LimitsHit = [.. receipt.LimitsHit.Select(limit => JsonNamingPolicy.CamelCase.ConvertName(limit.ToString()))],
        NotEnforced = receipt.NotEnforced,
        DurationMs = receipt.Duration.TotalMilliseconds,
        CpuMs = receipt.Cpu.IsObserved ? receipt.Cpu.Value.TotalMilliseconds : null,
        MemoryPeakBytes = receipt.MemoryPeakBytes.IsObserved ? receipt.MemoryPeakBytes.Value : null,
        FilesWritten = receipt.FilesWritten.IsObserved ? receipt.FilesWritten.Value : null,
        FilesRead = receipt.FilesRead.IsObserved ? receipt.FilesRead.Value : null,
        HostsTried = receipt.HostsTried.IsObserved ? receipt.HostsTried.Value : null,
    };

    private static string Describe(ToolSubject subject) => subject.Agent is { } agent ? $"Agent {agent}" : "This goal";

    private sealed class SubjectGate(ToolGate gate, ToolSubject subject) : IToolGate
    {
        public ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken) => gate.CallAsync(subject, call, cancellationToken);
    }
}
