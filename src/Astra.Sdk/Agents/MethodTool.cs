using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;

namespace Astra.Sdk;

/// <summary>
/// A tool that is a method of the agent's own code: it has a name, a JSON schema taken from its parameters, and runs in
/// the agent's process with the agent's own rights. What is not the agent's own code is a program, and runs in a sandbox.
/// </summary>
public sealed class MethodTool
{
    private readonly Delegate _method;
    private readonly ParameterInfo[] _parameters;

    private MethodTool(string name, string description, Delegate method)
    {
        (Name, Description, _method) = (name, description, method);
        _parameters = method.Method.GetParameters();
        InputSchema = SchemaOf(_parameters);
    }

    public string Name { get; }
    public string Description { get; }

    /// <summary>An object with a property for each parameter; those without a default value are required.</summary>
    public JsonElement InputSchema { get; }

    /// <param name="name">Lower-case letters, digits and dashes.</param>
    /// <param name="method">Takes what serialises from JSON, and a CancellationToken if it likes; returns a value, a Task,
    /// a ValueTask, or nothing.</param>
    public static MethodTool From(string name, string description, Delegate method)
    {
        if (name.Length == 0 || !name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-'))
            throw new ArgumentException($"'{name}' cannot be a tool's name; use lower-case letters, digits and dashes.", nameof(name));
        return new MethodTool(name, description, method);
    }

    /// <exception cref="ToolRefusedException">The input is not of the schema.</exception>
    public async ValueTask<JsonElement> InvokeAsync(JsonElement input, CancellationToken cancellationToken)
    {
        var arguments = Arguments(input, cancellationToken);
        try
        {
            return AstraJson.ToElement(await ResultOfAsync(_method.DynamicInvoke(arguments)));
        }
        catch (TargetInvocationException e) when (e.InnerException is { } cause)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(cause);
            throw;
        }
    }

    private object?[] Arguments(JsonElement input, CancellationToken cancellationToken)
    {
        if (input.ValueKind is not (JsonValueKind.Object or JsonValueKind.Null or JsonValueKind.Undefined))
            throw new ToolRefusedException($"The input of {Name} is an object with its parameters, and not {input.ValueKind}.");
        var unknown = input.ValueKind == JsonValueKind.Object
            ? input.EnumerateObject().FirstOrDefault(property => Array.TrueForAll(_parameters, parameter => parameter.Name != property.Name)) : default;
        if (unknown.Value.ValueKind != JsonValueKind.Undefined)
            throw new ToolRefusedException($"{Name} has no parameter '{unknown.Name}'.");
        return [.. _parameters.Select(parameter => parameter.ParameterType == typeof(CancellationToken) ? cancellationToken : Argument(parameter, input))];
    }

    private object? Argument(ParameterInfo parameter, JsonElement input)
    {
        if (input.ValueKind != JsonValueKind.Object || !input.TryGetProperty(parameter.Name!, out var value))
            return parameter.HasDefaultValue ? parameter.DefaultValue : throw new ToolRefusedException($"{Name} needs its parameter '{parameter.Name}'.");
        try
        {
            return value.Deserialize(parameter.ParameterType, AstraJson.Options);
        }
        catch (JsonException)
        {
            throw new ToolRefusedException($"The parameter '{parameter.Name}' of {Name} is not a {parameter.ParameterType.Name}.");
        }
    }

    private static async ValueTask<object?> ResultOfAsync(object? returned)
    {
        switch (returned)
        {
            case Task task:
                await task;
                return ValueOf(task);
            case not null when returned.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ValueTask<>):
                var asTask = (Task)type.GetMethod(nameof(ValueTask<int>.AsTask))!.Invoke(returned, null)!;
                await asTask;
                return ValueOf(asTask);
            case ValueTask valueTask:
                await valueTask;
                return null;
            default:
                return returned;
        }
    }

    /// <summary>A Task without a result has, in truth, one of a type that only the runtime can name.</summary>
    private static object? ValueOf(Task task) =>
        task.GetType().GetProperty(nameof(Task<int>.Result)) is { PropertyType.FullName: not "System.Threading.Tasks.VoidTaskResult" } result
            ? result.GetValue(task) : null;

    private static JsonElement SchemaOf(ParameterInfo[] parameters)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var parameter in parameters.Where(parameter => parameter.ParameterType != typeof(CancellationToken)))
        {
            properties[parameter.Name!] = AstraJson.Options.GetJsonSchemaAsNode(parameter.ParameterType);
            if (!parameter.HasDefaultValue)
                required.Add(parameter.Name);
        }
        return AstraJson.ToElement(new JsonObject { ["type"] = "object", ["properties"] = properties, ["required"] = required, ["additionalProperties"] = false });
    }
}

/// <summary>The agent's own methods in front of the server's tools.</summary>
internal sealed class MethodToolGate(IReadOnlyCollection<MethodTool> methods, IToolGate tools) : IToolGate
{
    public async ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
    {
        if (methods.FirstOrDefault(method => method.Name == call.Tool) is not { } method)
            return await tools.CallAsync(call, cancellationToken);
        var since = TimeProvider.System.GetTimestamp();
        var output = await method.InvokeAsync(AstraJson.ToElement(call.Input), cancellationToken);
        return new ToolResult(output, new ToolReceipt
        {
            Tool = method.Name,
            SandboxTier = "none: the agent's own code",
            ExitCode = null,
            LimitsHit = [],
            NotEnforced = ["everything: a method runs with the rights of its agent"],
            DurationMs = TimeProvider.System.GetElapsedTime(since).TotalMilliseconds,
        });
    }
}
