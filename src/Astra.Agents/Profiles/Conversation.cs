using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// A conversation with a model. Only the profile's prompt is ever said as the system: documents, a goal's words and what tools
/// give back come from elsewhere, and are material.
/// </summary>
internal sealed class Conversation
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonObject _request;
    private readonly JsonArray _messages = [];

    public Conversation(string model, string prompt, IReadOnlyCollection<JsonObject> tools)
    {
        _request = new JsonObject { ["model"] = model, ["messages"] = _messages };
        if (tools.Count > 0)
            _request["tools"] = new JsonArray([.. tools]);
        _messages.Add(new JsonObject { ["role"] = "system", ["content"] = prompt });
    }

    public byte[] Write() => Encoding.UTF8.GetBytes(_request.ToJsonString(Plain));

    public void Say(string text) => _messages.Add(new JsonObject { ["role"] = "user", ["content"] = text });

    /// <summary>What the model said itself. Written anew: members that only its provider knows are refused by others.</summary>
    public void Add(ChatAnswer answer)
    {
        var message = new JsonObject { ["role"] = "assistant", ["content"] = answer.Text };
        if (answer.Calls.Count > 0)
            message["tool_calls"] = new JsonArray([.. answer.Calls.Select(call => new JsonObject
            {
                ["id"] = call.Id, ["type"] = "function", ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = call.Arguments },
            })]);
        _messages.Add(message);
    }

    public void Answer(AskedCall call, string result) =>
        _messages.Add(new JsonObject { ["role"] = "tool", ["tool_call_id"] = call.Id, ["content"] = result });

    /// <summary>The profile's documents and what there is to do, as material.</summary>
    public static string Material(AgentProfile profile, IEnumerable<StepOutput> before, string task)
    {
        var text = new StringBuilder();
        foreach (var document in profile.Documents)
            text.Append("Document ").Append(document.Name).Append(":\n\n").Append(document.Text).Append("\n\n");
        foreach (var step in before)
            text.Append("Step ").Append(step.Name).Append(step.State == StepState.Completed
                ? $" gave:\n\n{Words(step.Output)}\n\n"
                : $" did not complete: {step.Failure ?? "it was cancelled"}\n\n");
        return text.Append("Task:\n\n").Append(task).ToString();
    }

    /// <summary>A text as it is, anything else as JSON.</summary>
    public static string Words(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Null or JsonValueKind.Undefined => "There is no more to it than what you are told.",
        _ => JsonSerializer.Serialize(value, Plain),
    };
}
