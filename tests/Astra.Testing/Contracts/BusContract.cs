using System.Text;
using Astra.Kernel;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>Nodes of one fleet that can reach each other.</summary>
public interface IBusUnderTest : IAsyncDisposable
{
    /// <summary>A node's own end of the bus, and how the others know that node. The same name is the same node again.</summary>
    ValueTask<(IBus Bus, NodeRegistration Self)> JoinAsync(string name);
}

/// <summary>What every bus guarantees.</summary>
public abstract class BusContract : IAsyncLifetime
{
    private static readonly TimeSpan Forever = TimeSpan.FromSeconds(30);

    private IBusUnderTest _fleet = null!;
    private IBus _a = null!;
    private IBus _b = null!;
    private NodeRegistration _nodeB = null!;

    protected abstract ValueTask<IBusUnderTest> OpenAsync();

    public async ValueTask InitializeAsync()
    {
        _fleet = await OpenAsync();
        (_a, _) = await _fleet.JoinAsync("a");
        (_b, _nodeB) = await _fleet.JoinAsync("b");
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _fleet.DisposeAsync();
    }

    [Fact]
    public async Task A_question_reaches_the_node_it_is_for_and_its_answer_comes_back()
    {
        using var serving = _b.Serve(_nodeB, question => Bytes($"{Text(question)}, answered"));
        Assert.Equal("asked, answered", await AskAsync("asked"));
    }

    [Fact]
    public async Task Bytes_arrive_as_they_were_sent_and_none_is_a_question_too()
    {
        using var serving = _b.Serve(_nodeB, question => new ValueTask<ReadOnlyMemory<byte>>(question));
        byte[] every = [.. Enumerable.Range(0, 100_000).Select(number => (byte)number)];
        Assert.Equal(every, (await _a.AskAsync(_nodeB, every, CancellationToken.None)).ToArray());
        Assert.Empty((await _a.AskAsync(_nodeB, ReadOnlyMemory<byte>.Empty, CancellationToken.None)).ToArray());
    }

    [Fact]
    public async Task Questions_do_not_wait_for_each_other()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var serving = _b.Serve(_nodeB, async question =>
        {
            if (Text(question) == "slow")
                await release.Task;
            return question;
        });
        var slow = AskAsync("slow");
        Assert.Equal("quick", await AskAsync("quick"));
        release.SetResult();
        Assert.Equal("slow", await slow);
    }

    [Fact]
    public async Task A_node_that_serves_nothing_is_unavailable() =>
        await Assert.ThrowsAsync<BusUnavailableException>(() => AskAsync("asked"));

    [Fact]
    public async Task A_question_to_a_node_that_is_not_there_is_known_to_have_reached_nobody()
    {
        var nowhere = new NodeRegistration(new NodeId("nowhere"), "http://127.0.0.1:1", Guid.NewGuid());
        var refused = await Assert.ThrowsAsync<BusUnavailableException>(() => _a.AskAsync(nowhere, "asked"u8.ToArray(), CancellationToken.None).AsTask().WaitAsync(Forever));
        Assert.True(refused.HasReachedNobody);
    }

    [Fact]
    public async Task A_node_that_has_ended_serving_is_unavailable()
    {
        _b.Serve(_nodeB, question => new ValueTask<ReadOnlyMemory<byte>>(question)).Dispose();
        await Assert.ThrowsAsync<BusUnavailableException>(() => AskAsync("asked"));
    }

    [Fact]
    public async Task A_life_that_ends_late_does_not_silence_the_one_that_replaced_it()
    {
        var old = _b.Serve(_nodeB, _ => Bytes("old"));
        using var replacement = _b.Serve(_nodeB with { Incarnation = Guid.NewGuid() }, _ => Bytes("new"));
        old.Dispose();
        Assert.Equal("new", await AskAsync("asked"));
    }

    [Fact]
    public async Task An_answer_that_fails_is_unavailable_and_the_next_question_is_not()
    {
        using var serving = _b.Serve(_nodeB, question => Text(question) == "bad" ? throw new InvalidDataException("no") : Bytes("good"));
        var failed = await Assert.ThrowsAsync<BusUnavailableException>(() => AskAsync("bad"));
        Assert.False(failed.HasReachedNobody);
        Assert.Equal("good", await AskAsync("asked"));
    }

    [Fact]
    public async Task Who_gives_up_waits_no_longer()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var serving = _b.Serve(_nodeB, async question =>
        {
            arrived.TrySetResult();
            await release.Task;
            return question;
        });
        using var patience = new CancellationTokenSource();
        var asked = _a.AskAsync(_nodeB, "asked"u8.ToArray(), patience.Token).AsTask();
        await arrived.Task.WaitAsync(Forever);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked.WaitAsync(Forever));
        release.SetResult();
    }

    private async Task<string> AskAsync(string question) =>
        Text(await _a.AskAsync(_nodeB, Encoding.UTF8.GetBytes(question), CancellationToken.None).AsTask().WaitAsync(Forever));

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private static ValueTask<ReadOnlyMemory<byte>> Bytes(string text) => new(Encoding.UTF8.GetBytes(text));
}
