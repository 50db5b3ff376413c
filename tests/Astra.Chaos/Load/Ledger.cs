using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;

namespace Astra.Chaos.Load;

/// <summary>One line of the ledger. What is null is left out.</summary>
internal sealed record LedgerLine
{
    [JsonConverter(typeof(JsonStringEnumConverter<LedgerWord>))]
    public required LedgerWord Word { get; init; }

    public required string Key { get; init; }
    public Shape? Shape { get; init; }
    public PlannedStep[]? Steps { get; init; }
    public Guid? Goal { get; init; }

    /// <summary>Which edit of the goal.</summary>
    public int? Edit { get; init; }

    public string? Reason { get; init; }
}

/// <summary>Sent comes before the first byte leaves; acknowledged when the server's answer is here; refused when the answer is
/// a no that repeating would not change.</summary>
internal enum LedgerWord { Sent, Acknowledged, Refused, EditSent, EditAcknowledged, EditRefused, CancelSent, CancelAcknowledged }

/// <summary>
/// What the load client knows, on disk before anything rests on it: lines are appended and synced, many at once, and who
/// writes one waits for that.
/// </summary>
internal sealed class Ledger : IAsyncDisposable
{
    private readonly FileStream _file;
    private readonly Channel<(LedgerLine Line, TaskCompletionSource Durable)> _waiting = Channel.CreateUnbounded<(LedgerLine, TaskCompletionSource)>(new() { SingleReader = true });
    private readonly Task _writing;

    public Ledger(string path)
    {
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        _writing = Task.Run(WriteAsync);
    }

    public LedgerBook Book { get; } = new();

    public async Task AddAsync(LedgerLine line)
    {
        var durable = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _waiting.Writer.WriteAsync((line, durable));
        await durable.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.Complete();
        await _writing;
        await _file.DisposeAsync();
    }

    private async Task WriteAsync()
    {
        var batch = new List<(LedgerLine Line, TaskCompletionSource Durable)>();
        while (await _waiting.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (_waiting.Reader.TryRead(out var one))
                batch.Add(one);
            var text = new StringBuilder();
            foreach (var (line, _) in batch)
                text.Append(JsonSerializer.Serialize(line, LedgerBook.Form)).Append('\n');
            await _file.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()));
            _file.Flush(flushToDisk: true);
            foreach (var (line, durable) in batch)
            {
                Book.Add(line);
                durable.SetResult();
            }
        }
    }
}

/// <summary>The page of one goal.</summary>
internal sealed class LedgerPage(string key, Shape shape, IReadOnlyList<PlannedStep> steps)
{
    public string Key => key;
    public Shape Shape => shape;
    public IReadOnlyList<PlannedStep> Steps => steps;

    public Guid? Goal { get; set; }
    public string? Refusal { get; set; }
    public List<LedgerEdit> Edits { get; } = [];
    public bool CancelWasSent { get; set; }
    public bool CancelWasAcknowledged { get; set; }

    /// <summary>The client still waits for an answer about it.</summary>
    public bool IsAnswered => Goal is not null || Refusal is not null;
}

internal sealed class LedgerEdit(IReadOnlyList<PlannedStep> steps)
{
    public IReadOnlyList<PlannedStep> Steps => steps;

    /// <summary>Null: no answer yet.</summary>
    public bool? WasAcknowledged { get; set; }

    public string? Refusal { get; set; }
}

/// <summary>The ledger, read: one page for each goal.</summary>
internal sealed class LedgerBook
{
    public static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly ConcurrentDictionary<string, LedgerPage> _pages = new(StringComparer.Ordinal);

    public IReadOnlyCollection<LedgerPage> Pages => (IReadOnlyCollection<LedgerPage>)_pages.Values;

    public LedgerPage? Find(string key) => _pages.GetValueOrDefault(key);

    public void Add(LedgerLine line)
    {
        if (line.Word == LedgerWord.Sent)
        {
            _pages.TryAdd(line.Key, new LedgerPage(line.Key, line.Shape!.Value, line.Steps!));
            return;
        }
        var page = _pages[line.Key];
        lock (page)
        {
            switch (line.Word)
            {
                case LedgerWord.Acknowledged:
                    page.Goal = line.Goal;
                    break;
                case LedgerWord.Refused:
                    page.Refusal = line.Reason;
                    break;
                case LedgerWord.EditSent:
                    page.Edits.Add(new LedgerEdit(line.Steps!));
                    break;
                case LedgerWord.EditAcknowledged:
                    page.Edits[line.Edit!.Value].WasAcknowledged = true;
                    break;
                case LedgerWord.EditRefused:
                    page.Edits[line.Edit!.Value].WasAcknowledged = false;
                    page.Edits[line.Edit!.Value].Refusal = line.Reason;
                    break;
                case LedgerWord.CancelSent:
                    page.CancelWasSent = true;
                    break;
                case LedgerWord.CancelAcknowledged:
                    page.CancelWasAcknowledged = true;
                    break;
            }
        }
    }

    public static LedgerBook Read(string path)
    {
        var book = new LedgerBook();
        foreach (var line in File.ReadLines(path))
            book.Add(JsonSerializer.Deserialize<LedgerLine>(line, Form)!);
        return book;
    }
}
