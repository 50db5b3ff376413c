using System.Text;
using System.Text.Json;
using Astra.Sdk;
using Astra.Tools.Sandboxes;

namespace Astra.Tools.Catalog;

/// <summary>How a call becomes a program's arguments and input, and what it leaves behind becomes an answer.</summary>
public interface IToolForm
{
    /// <summary>The input has been checked against the tool's schema.</summary>
    ToolProgram Shape(ToolDefinition definition, JsonElement input);

    /// <summary>Reads a run that no limit ended.</summary>
    ToolOutcome Read(JsonElement input, SandboxResult result);
}

/// <param name="Reads">Host files the call asks for; checked against the caller's grants like those it names itself.</param>
public sealed record ToolProgram(IReadOnlyList<string> Command, ReadOnlyMemory<byte> Input, IReadOnlyList<ToolMount> Reads);

/// <summary>The answer, or the sentence that says how the tool failed.</summary>
public readonly record struct ToolOutcome(JsonElement Output, string? Failure)
{
    public static ToolOutcome Failed(string sentence) => new(default, sentence);
}

/// <summary>The usual form: JSON on standard input, JSON on standard output, zero for success.</summary>
public sealed class JsonForm : IToolForm
{
    public static JsonForm Instance { get; } = new();

    private JsonForm()
    {
    }

    public ToolProgram Shape(ToolDefinition definition, JsonElement input) => new(definition.Command, AstraJson.Write(input), []);

    public ToolOutcome Read(JsonElement input, SandboxResult result)
    {
        if (ToolWords.ExitFailure(result) is { } failure)
            return ToolOutcome.Failed(failure);
        try
        {
            return new ToolOutcome(AstraJson.Parse(result.Output.Span), null);
        }
        catch (JsonException e)
        {
            return ToolOutcome.Failed($"did not answer in JSON: {FailureCause.Sentence(e)}");
        }
    }
}

/// <summary>`shell@1`: a command line in the sandbox. By default a command that fails fails the call, as in a build.</summary>
public sealed class ShellForm : IToolForm
{
    public static ToolDefinition Definition { get; } = new()
    {
        Name = "shell",
        Version = "1",
        Description = "Runs a command line with /bin/sh in the sandbox: no network, no host files but those it is given to read.",
        InputSchema = AstraJson.Parse("""
            {
              "type": "object",
              "required": ["command"],
              "additionalProperties": false,
              "properties": {
                "command": { "type": "string" },
                "stdin": { "type": "string" },
                "reads": { "type": "array", "items": { "type": "string" } },
                "failOnError": { "type": "boolean" }
              }
            }
            """u8),
        Command = ["/bin/sh", "-c"],
    };

    public ToolProgram Shape(ToolDefinition definition, JsonElement input) => new(
        [.. definition.Command, Text(input, "command")],
        Encoding.UTF8.GetBytes(Text(input, "stdin")),
        input.TryGetProperty("reads", out var reads) ? [.. reads.EnumerateArray().Select(path => new ToolMount(path.GetString()!, path.GetString()!))] : []);

    public ToolOutcome Read(JsonElement input, SandboxResult result)
    {
        var failsOnError = !input.TryGetProperty("failOnError", out var choice) || choice.GetBoolean();
        if ((failsOnError || result.Receipt.ExitCode is null) && ToolWords.ExitFailure(result) is { } failure)
            return ToolOutcome.Failed(failure);
        return new ToolOutcome(
            AstraJson.ToElement(new
            {
                exitCode = result.Receipt.ExitCode,
                stdout = Encoding.UTF8.GetString(result.Output.Span),
                stderr = Encoding.UTF8.GetString(result.Error.Span),
            }), null);
    }

    private static string Text(JsonElement input, string name) => input.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
}

internal static class ToolWords
{
    private const int ErrorLengthMax = 300;

    /// <summary>How a run that did not exit with zero ended, with the last thing it said about it.</summary>
    public static string? ExitFailure(SandboxResult result)
    {
        if (result.Receipt.ExitCode == 0)
            return null;
        var how = result.Receipt.ExitCode is { } code ? $"exited with {code}" : $"was ended by signal {result.Receipt.Signal}";
        var lines = Encoding.UTF8.GetString(result.Error.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? $"{how} and said nothing." : $"{how}: {Shorten(lines[^1])}";
    }

    public static string LimitFailure(SandboxReceipt receipt, SandboxLimits limits) => receipt.LimitsHit[0] switch
    {
        SandboxLimit.Wall => $"ran longer than its {limits.Wall.TotalSeconds:0.#} s.",
        SandboxLimit.Cpu => $"used more than its {limits.Cpu.TotalSeconds:0.#} s of processor time.",
        SandboxLimit.Memory => $"used more than its {limits.MemoryBytes >> 20} MiB of memory.",
        SandboxLimit.Pids => $"wanted more than its {limits.Pids} processes.",
        SandboxLimit.Scratch => $"wrote more than its {limits.ScratchBytes >> 20} MiB of scratch space.",
        SandboxLimit.Output => $"answered with more than its {limits.OutputBytes >> 20} MiB.",
        var other => $"reached its limit of {other}.",
    };

    private static string Shorten(string line) => line.Length > ErrorLengthMax ? $"{line.AsSpan(0, ErrorLengthMax - 1)}…" : line;
}
