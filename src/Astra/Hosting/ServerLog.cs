using Astra.Gateway;
using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>
/// The server's log, a line at a time: for people, or as JSON for programs. A line about a tenant, a goal, a task, a shard or
/// an actor carries its id in a field of its own, and one about a goal the id of its trace. No line ever holds a key or a
/// payload.
/// </summary>
public sealed class ServerLog(TextWriter output, bool isJson)
{
    public void Say(string sentence, LogIds ids = default) => Write("info", sentence, ids);

    public void Warn(string sentence, LogIds ids = default) => Write("warning", sentence, ids);

    public void Error(string sentence, LogIds ids = default) => Write("error", sentence, ids);

    /// <summary>The sentence of a line in either form.</summary>
    public static string SentenceOf(string line)
    {
        try
        {
            return line.StartsWith('{') ? AstraJson.Read<Line>(System.Text.Encoding.UTF8.GetBytes(line)).Message : line;
        }
        catch (System.Text.Json.JsonException)
        {
            return line;
        }
    }

    private void Write(string level, string sentence, LogIds ids)
    {
        var line = isJson
            ? System.Text.Encoding.UTF8.GetString(AstraJson.Write(new Line
            {
                At = TimeProvider.System.GetUtcNow(), Level = level, Message = sentence, NodeId = ids.Node,
                TenantId = ids.Tenant, GoalId = ids.Goal, TaskId = ids.Task, Attempt = ids.Attempt, Shard = ids.Shard, Actor = ids.Actor, HookId = ids.Hook, MessageId = ids.Message, TraceId = ids.Goal is { } goal ? GoalTraces.TraceIdOf(goal) : null,
            }))
            : $"{TimeProvider.System.GetLocalNow():HH:mm:ss.fff} {sentence}";
        lock (output)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }

    private sealed record Line
    {
        public required DateTimeOffset At { get; init; }
        public required string Level { get; init; }
        public required string Message { get; init; }
        public string? NodeId { get; init; }
        public Guid? TenantId { get; init; }
        public Guid? GoalId { get; init; }
        public Guid? TaskId { get; init; }
        public int? Attempt { get; init; }
        public int? Shard { get; init; }
        public string? Actor { get; init; }
        public Guid? HookId { get; init; }
        public Guid? MessageId { get; init; }
        public string? TraceId { get; init; }
    }
}
