using System.Collections.Concurrent;
using Astra.Kernel;
using Astra.Llm.Caching;

namespace Astra.Llm.Recording;

/// <summary>The goals that are being replayed on this node. What their tasks ask for is answered from recordings or not at all.</summary>
public sealed class ReplaySessions
{
    private readonly ConcurrentDictionary<(TenantId, GoalId), ReplaySession> _sessions = new();

    public ReplaySession? Find(TenantId tenant, GoalId goal) => _sessions.IsEmpty ? null : _sessions.GetValueOrDefault((tenant, goal));

    /// <summary>False while another replay of the goal runs.</summary>
    public bool TryBegin(TenantId tenant, GoalId goal, ReplaySession session) => _sessions.TryAdd((tenant, goal), session);

    public void End(TenantId tenant, GoalId goal) => _sessions.TryRemove((tenant, goal), out _);
}

/// <summary>The recordings of one goal while it is replayed: each task's requests are answered in the order in which those of its
/// last attempt were. An attempt before it may have been answered otherwise, and came to nothing.</summary>
public sealed class ReplaySession
{
    private readonly Dictionary<(TaskId, RecordingKind, Digest), Queue<Recording>> _recordings = [];
    private readonly List<string> _missing = [];

    public ReplaySession(IEnumerable<Recording> recordings)
    {
        var all = recordings.ToList();
        var lastOf = all.GroupBy(recording => recording.Task).ToDictionary(task => task.Key, task => task.Max(recording => recording.Attempt));
        foreach (var recording in all.Where(recording => recording.Attempt == 0 || recording.Attempt == lastOf[recording.Task]).OrderBy(recording => recording.At).ThenBy(recording => recording.Id))
        {
            var key = (recording.Task, recording.Kind, recording.Request);
            if (!_recordings.TryGetValue(key, out var answers))
                _recordings[key] = answers = new Queue<Recording>();
            answers.Enqueue(recording);
        }
    }

    /// <summary>What was asked for and is not there, a sentence for each.</summary>
    public IReadOnlyList<string> Missing
    {
        get
        {
            lock (_missing)
                return [.. _missing];
        }
    }

    /// <summary>The next answer to the request; the last one stays, for a step that was tried more often now than then.</summary>
    public Recording? Take(TaskId task, RecordingKind kind, Digest request)
    {
        lock (_recordings)
        {
            if (!_recordings.TryGetValue((task, kind, request), out var answers))
                return null;
            return answers.Count > 1 ? answers.Dequeue() : answers.Peek();
        }
    }

    public void Miss(string sentence)
    {
        lock (_missing)
            _missing.Add(sentence);
    }
}
