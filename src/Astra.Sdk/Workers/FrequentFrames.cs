using System.Text.Json;

namespace Astra.Sdk;

/// <summary>
/// The three frames that nearly all traffic between a server and its workers consists of, `task`, `complete` and
/// `accepted`, written and read field by field. The bytes are those of <see cref="AstraJson.Options"/>; whatever is not
/// exactly in their form, other fields or another order, is the serializer's to read.
/// </summary>
/// <remarks>With the serializer they were an eighth of both ends together, in a profile of tasks that do nothing, and the
/// machine spends a tenth more on such tasks.</remarks>
internal static class FrequentFrames
{
    private static readonly JsonEncodedText Type = JsonEncodedText.Encode("type");
    private static readonly JsonEncodedText Task = JsonEncodedText.Encode("task");
    private static readonly JsonEncodedText Complete = JsonEncodedText.Encode("complete");
    private static readonly JsonEncodedText Accepted = JsonEncodedText.Encode("accepted");
    private static readonly JsonEncodedText TaskId = JsonEncodedText.Encode("taskId");
    private static readonly JsonEncodedText GoalId = JsonEncodedText.Encode("goalId");
    private static readonly JsonEncodedText Attempt = JsonEncodedText.Encode("attempt");
    private static readonly JsonEncodedText Name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText Executor = JsonEncodedText.Encode("executor");
    private static readonly JsonEncodedText Agent = JsonEncodedText.Encode("agent");
    private static readonly JsonEncodedText Kind = JsonEncodedText.Encode("kind");
    private static readonly JsonEncodedText Input = JsonEncodedText.Encode("input");
    private static readonly JsonEncodedText GoalInput = JsonEncodedText.Encode("goalInput");
    private static readonly JsonEncodedText Dependencies = JsonEncodedText.Encode("dependencies");
    private static readonly JsonEncodedText LeaseSeconds = JsonEncodedText.Encode("leaseSeconds");
    private static readonly JsonEncodedText Now = JsonEncodedText.Encode("now");
    private static readonly JsonEncodedText Effect = JsonEncodedText.Encode("effect");
    private static readonly JsonEncodedText Key = JsonEncodedText.Encode("key");
    private static readonly JsonEncodedText State = JsonEncodedText.Encode("state");
    private static readonly JsonEncodedText Output = JsonEncodedText.Encode("output");
    private static readonly JsonEncodedText Failure = JsonEncodedText.Encode("failure");
    private static readonly JsonEncodedText Outcome = JsonEncodedText.Encode("outcome");

    private static readonly JsonEncodedText[] StateWords =
        [.. Enum.GetValues<StepState>().Select(state => JsonEncodedText.Encode(JsonNamingPolicy.CamelCase.ConvertName(state.ToString())))];

    /// <returns>False when the frame is none of these, or has something that they rarely have. Then nothing is written.</returns>
    public static bool TryWrite(Utf8JsonWriter json, object frame)
    {
        switch (frame)
        {
            case ServerFrame.Assign { Task: { Effect: null or { State: null, Output: null } } task }:
                Write(json, task);
                return true;
            case ServerFrame.Accepted accepted:
                Begin(json, Accepted, accepted.TaskId, accepted.Attempt);
                json.WriteEndObject();
                return true;
            case WorkerFrame.Complete { Edits: null } complete:
                Begin(json, Complete, complete.TaskId, complete.Attempt);
                Write(json, Output, complete.Output);
                if (complete.Outcome is { } outcome)
                    json.WriteString(Outcome, outcome);
                json.WriteEndObject();
                return true;
            default:
                return false;
        }
    }

    /// <param name="json">At the beginning of a frame. Behind it, when it is read; otherwise where it was.</param>
    /// <returns>Null when the serializer has to read it.</returns>
    public static TFrame? TryRead<TFrame>(ref Utf8JsonReader json)
        where TFrame : class
    {
        var ahead = json;
        try
        {
            if (ahead.TokenType != JsonTokenType.StartObject || !Text(ref ahead, Type) || Frame(ref ahead) is not TFrame frame)
                return null;
            json = ahead;
            return frame;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The serializer says what is wrong with it.
            return null;
        }
    }

    // ---- Writing ---------------------------------------------------------------------------------------------------

    private static void Begin(Utf8JsonWriter json, JsonEncodedText type, Guid task, int attempt)
    {
        json.WriteStartObject();
        json.WriteString(Type, type);
        json.WriteString(TaskId, task);
        json.WriteNumber(Attempt, attempt);
    }

    private static void Write(Utf8JsonWriter json, TaskAssignment task)
    {
        json.WriteStartObject();
        json.WriteString(Type, Task);
        json.WriteStartObject(Task);
        json.WriteString(TaskId, task.TaskId);
        json.WriteString(GoalId, task.GoalId);
        json.WriteNumber(Attempt, task.Attempt);
        json.WriteString(Name, task.Name);
        json.WriteString(Executor, task.Executor);
        if (task.Agent is { } agent)
            json.WriteString(Agent, agent);
        json.WriteString(Kind, task.Kind);
        Write(json, Input, task.Input);
        Write(json, GoalInput, task.GoalInput);
        json.WriteStartArray(Dependencies);
        for (var i = 0; i < task.Dependencies.Count; i++)
            Write(json, task.Dependencies[i]);
        json.WriteEndArray();
        json.WriteNumber(LeaseSeconds, task.LeaseSeconds);
        json.WriteString(Now, task.Now);
        if (task.Effect is { } effect)
        {
            json.WriteStartObject(Effect);
            json.WriteString(Key, effect.Key);
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, StepOutput dependency)
    {
        json.WriteStartObject();
        json.WriteString(Name, dependency.Name);
        json.WriteString(State, StateWords[(int)dependency.State]);
        Write(json, Output, dependency.Output);
        if (dependency.Failure is { } failure)
            json.WriteString(Failure, failure);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, JsonEncodedText name, JsonElement value)
    {
        json.WritePropertyName(name);
        value.WriteTo(json);
    }

    // ---- Reading: what is not as expected makes the frame null -----------------------------------------------------

    private static object? Frame(ref Utf8JsonReader json)
    {
        if (Is(ref json, Accepted))
            return IdAndAttempt(ref json, TaskId) is var (id, attempt) && End(ref json) ? new ServerFrame.Accepted(id, attempt) : null;
        if (Is(ref json, Complete))
            return ReadComplete(ref json);
        return Is(ref json, Task) && Object(ref json, Task) && ReadTask(ref json) is { } task && End(ref json) ? new ServerFrame.Assign(task) : null;
    }

    private static WorkerFrame.Complete? ReadComplete(ref Utf8JsonReader json)
    {
        if (IdAndAttempt(ref json, TaskId) is not var (id, attempt) || !Property(ref json, Output))
            return null;
        var output = Value(ref json);
        json.Read();
        if (json.TokenType == JsonTokenType.EndObject)
            return new WorkerFrame.Complete(id, attempt, output, Edits: null);
        return Is(ref json, Outcome) && String(ref json) is { } outcome && End(ref json) ? new WorkerFrame.Complete(id, attempt, output, Edits: null, outcome) : null;
    }

    private static TaskAssignment? ReadTask(ref Utf8JsonReader json)
    {
        if (!Text(ref json, TaskId) || !json.TryGetGuid(out var id) || IdAndAttempt(ref json, GoalId) is not var (goal, attempt)
            || !Text(ref json, Name) || json.GetString() is not { } name
            || !Text(ref json, Executor) || json.GetString() is not { } executor)
            return null;
        json.Read();
        string? agent = null;
        if (Is(ref json, Agent))
        {
            agent = String(ref json);
            json.Read();
        }
        if (!Is(ref json, Kind) || String(ref json) is not { } kind || !Property(ref json, Input))
            return null;
        var input = Value(ref json);
        if (!Property(ref json, GoalInput))
            return null;
        var goalInput = Value(ref json);
        if (!Property(ref json, Dependencies) || ReadDependencies(ref json) is not { } dependencies
            || !Property(ref json, LeaseSeconds) || json.TokenType != JsonTokenType.Number || !json.TryGetDouble(out var lease)
            || !Text(ref json, Now) || !json.TryGetDateTimeOffset(out var now))
            return null;
        json.Read();
        AssignedEffect? effect = null;
        if (Is(ref json, Effect))
        {
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject || !Text(ref json, Key) || json.GetString() is not { } key || !End(ref json))
                return null;
            effect = new AssignedEffect(key);
            json.Read();
        }
        return json.TokenType != JsonTokenType.EndObject ? null : new TaskAssignment
        {
            TaskId = id, GoalId = goal, Attempt = attempt, Name = name, Executor = executor, Agent = agent, Kind = kind,
            Input = input, GoalInput = goalInput, Dependencies = dependencies, LeaseSeconds = lease, Now = now, Effect = effect,
        };
    }

    private static IReadOnlyList<StepOutput>? ReadDependencies(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray || !json.Read())
            return null;
        if (json.TokenType == JsonTokenType.EndArray)
            return [];
        var dependencies = new List<StepOutput>();
        for (; json.TokenType == JsonTokenType.StartObject; json.Read())
        {
            if (!Text(ref json, Name) || json.GetString() is not { } name || !Text(ref json, State) || StateOf(ref json) is not { } state || !Property(ref json, Output))
                return null;
            var output = Value(ref json);
            json.Read();
            string? failure = null;
            if (Is(ref json, Failure))
            {
                failure = String(ref json);
                json.Read();
            }
            if (json.TokenType != JsonTokenType.EndObject)
                return null;
            dependencies.Add(new StepOutput(name, state, output, failure));
        }
        return json.TokenType == JsonTokenType.EndArray ? dependencies : null;
    }

    private static StepState? StateOf(ref Utf8JsonReader json)
    {
        for (var i = 0; i < StateWords.Length; i++)
            if (Is(ref json, StateWords[i]))
                return (StepState)i;
        return null;
    }

    /// <summary>The two that name an attempt, or a goal and an attempt at something of it.</summary>
    private static (Guid Id, int Attempt)? IdAndAttempt(ref Utf8JsonReader json, JsonEncodedText id) =>
        Text(ref json, id) && json.TryGetGuid(out var found) && Property(ref json, Attempt) && json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var attempt)
            ? (found, attempt) : null;

    /// <summary>Goes on to the value of the next field, if that has this name.</summary>
    private static bool Property(ref Utf8JsonReader json, JsonEncodedText name) =>
        json.Read() && json.TokenType == JsonTokenType.PropertyName && Is(ref json, name) && json.Read();

    private static bool Text(ref Utf8JsonReader json, JsonEncodedText name) => Property(ref json, name) && json.TokenType == JsonTokenType.String;

    private static bool Object(ref Utf8JsonReader json, JsonEncodedText name) => Property(ref json, name) && json.TokenType == JsonTokenType.StartObject;

    private static string? String(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.String ? json.GetString() : null;

    private static bool End(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.EndObject;

    private static bool Is(ref Utf8JsonReader json, JsonEncodedText word) =>
        json.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && json.ValueTextEquals(word.EncodedUtf8Bytes);

    private static JsonElement Value(ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.Null ? AstraJson.Null : JsonElement.ParseValue(ref json);
}
