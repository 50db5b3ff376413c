using System.Buffers;
using System.IO.Pipelines;
using Astra.Llm.Wire;

namespace Astra.Llm.Caching;

/// <summary>
/// One request at the providers, and everybody who waits for its answer. Whoever leaves takes nobody along; when the last one
/// has left the request is broken off.
/// </summary>
/// <param name="abandoned">Has neither timer nor wait handle, so there is nothing of it to give back, at whatever moment the last one leaves.</param>
internal sealed class Flight(Operation operation, bool isStream, CancellationTokenSource abandoned)
{
    private readonly Lock _gate = new();
    private readonly List<Piece> _pieces = [];
    private TaskCompletionSource _news = NewNews();
    private Landing? _landing;
    private ReplyHead? _head;
    private int _waiters;
    private bool _hasBegun;
    private bool _isClosed;

    /// <summary>The form in which the provider is asked; who wants the other one gets it at the end.</summary>
    public bool IsStream => isStream;

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Abandoned => abandoned.Token;

    /// <summary>False when it is over: then there is an answer in the store, or there will be none.</summary>
    public bool TryJoin(out bool isFirst)
    {
        lock (_gate)
        {
            isFirst = !_hasBegun;
            if (_isClosed)
                return false;
            _hasBegun = true;
            _waiters++;
            return true;
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            if (--_waiters > 0 || _isClosed)
                return;
            _isClosed = true;
        }
        abandoned.Cancel();
    }

    public FlightReply NewReply() => new(this, operation);

    /// <summary>Nothing comes any more. Told after the answer is in the store, so that nobody falls in between.</summary>
    public void End(Landing landing)
    {
        lock (_gate)
        {
            (_isClosed, _landing) = (true, landing);
            Tell();
        }
    }

    public void Begin(ReplyHead head)
    {
        lock (_gate)
        {
            _head = head;
            Tell();
        }
    }

    public void Add(IReadOnlyList<Piece> pieces)
    {
        lock (_gate)
        {
            _pieces.AddRange(pieces);
            Tell();
        }
    }

    public Sight Look(int from)
    {
        lock (_gate)
            return new Sight(_head, from < _pieces.Count ? _pieces[from..] : [], _landing, _news.Task);
    }

    private void Tell()
    {
        var news = _news;
        _news = NewNews();
        news.SetResult();
    }

    private static TaskCompletionSource NewNews() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Whole events of a stream, or an answer in one piece.</summary>
/// <param name="IsUsageOnly">For those who asked for it.</param>
internal readonly record struct Piece(ReadOnlyMemory<byte> Bytes, bool IsUsageOnly);

internal sealed record ReplyHead(int Status, string ContentType, IReadOnlyList<(string Name, string Value)> Headers);

/// <summary>How it ended.</summary>
/// <param name="Answer">Null when there is no whole one: it was refused, or broke off.</param>
/// <param name="Failure">Something that should not happen; it is the first waiter's to report.</param>
/// <param name="IsBroken">A stream broke off; what there is of it is no whole answer.</param>
internal sealed record Landing(CachedAnswer? Answer, Exception? Failure = null, bool IsBroken = false);

internal readonly record struct Sight(ReplyHead? Head, IReadOnlyList<Piece> Pieces, Landing? Landing, Task News);

/// <summary>What the router writes is what everybody who waits is given.</summary>
internal sealed class FlightReply(Flight flight, Operation operation) : IModelReply
{
    private readonly List<(string Name, string Value)> _headers = [];
    private readonly FlightBody _body = new(flight, operation);
    private bool _isBroken;

    public int Status { get; private set; }

    public PipeWriter Body => _body;

    public string Model => _headers.FirstOrDefault(header => header.Name == "x-astra-model").Value ?? "";

    public void SetHeader(string name, string value) => _headers.Add((name, value));

    public void Start(int status, string contentType, long? length)
    {
        Status = status;
        _body.IsEvents = length is null;
        flight.Begin(new ReplyHead(status, contentType, _headers));
    }

    public bool IsBroken => _isBroken || _body.IsTooLong;

    public void Break() => _isBroken = true;

    /// <summary>The whole answer in its client's dialect; null when there is none.</summary>
    public byte[]? Whole() => Status != 200 ? null
        : _body.IsEvents ? WholeOfStream.Gather(operation, _body.All())
        : _body.All();
}

/// <summary>Takes whole events, and tells those who wait at each flush.</summary>
internal sealed class FlightBody(Flight flight, Operation operation) : PipeWriter
{
    /// <summary>More is no answer of a model's; whoever reads slowly would have it all kept for him.</summary>
    private const int BytesMax = 64 << 20;

    private readonly ChatScan? _chat = operation == Operation.Chat ? new ChatScan() : null;
    private readonly List<ReadOnlyMemory<byte>> _all = [];
    private ArrayBufferWriter<byte> _unflushed = new();
    private long _length;
    private bool _isOver;

    public bool IsEvents { get; set; }

    public bool IsTooLong => _isOver;

    public override void Advance(int bytes) => _unflushed.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _unflushed.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _unflushed.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_unflushed.WrittenCount > 0 && !_isOver)
        {
            var bytes = _unflushed.WrittenMemory;
            _unflushed = new ArrayBufferWriter<byte>();
            _length += bytes.Length;
            if (_length > BytesMax)
                bytes = TooLong();
            _all.Add(bytes);
            flight.Add(Split(bytes));
        }
        return ValueTask.FromResult(new FlushResult(isCanceled: false, isCompleted: _isOver));
    }

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    public byte[] All()
    {
        var all = new byte[_all.Sum(piece => piece.Length)];
        var at = 0;
        foreach (var piece in _all)
        {
            piece.CopyTo(all.AsMemory(at));
            at += piece.Length;
        }
        return all;
    }

    private ReadOnlyMemory<byte> TooLong()
    {
        _isOver = true;
        var words = new ArrayBufferWriter<byte>();
        DialectErrors.WriteEvent(operation, new ModelRefusal(502, "server_error", "upstream_cut", $"The answer broke off: it is longer than {BytesMax >> 20} MB."), words);
        return words.WrittenMemory;
    }

    /// <summary>The chunk with the figures is there for all and handed to those who asked, so it has to be a piece of its own.</summary>
    private List<Piece> Split(ReadOnlyMemory<byte> bytes)
    {
        if (!IsEvents || _chat is null)
            return [new Piece(bytes, IsUsageOnly: false)];
        var pieces = new List<Piece>();
        var (from, at) = (0, 0);
        while (true)
        {
            var told = StreamEvents.Next(bytes.Span[at..], out var length);
            if (length == 0)
                break;
            if (told.HasData && told.Data.IndexOf("\"usage\""u8) >= 0 && _chat.Look(told) == EventMeaning.UsageOnly)
            {
                if (at > from)
                    pieces.Add(new Piece(bytes[from..at], IsUsageOnly: false));
                pieces.Add(new Piece(bytes.Slice(at, length), IsUsageOnly: true));
                from = at + length;
            }
            at += length;
        }
        if (bytes.Length > from)
            pieces.Add(new Piece(bytes[from..], IsUsageOnly: false));
        return pieces;
    }
}
