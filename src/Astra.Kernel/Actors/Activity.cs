using System.Diagnostics;

namespace Astra.Kernel.Actors;

internal enum ActivityKind
{
    None,
    Receiving,
    Starting,
    Restarting,
    Stopping,
}

/// <summary>
/// A handler or hook that has not completed yet. When it has, it travels down its actor's system lane as its own
/// completion notice; if the incarnation was revoked meanwhile, nobody is waiting for it any more.
/// </summary>
internal sealed class Activity(
    ActivityKind kind, Incarnation incarnation, object? message, ActorRef? sender, ValueTask running) : SystemMessage
{
    private ValueTask _running = running;

    public ActivityKind Kind => kind;

    /// <summary>When its actor began to wait for it.</summary>
    public TimeSpan Since { get; set; }

    public Incarnation Incarnation => incarnation;

    public object? Message => message;

    public ActorRef? Sender => sender;

    public Exception? Failure { get; private set; }

    public void Register()
    {
        if (_running.IsCompleted)
            OnCompleted();
        else
            _running.GetAwaiter().UnsafeOnCompleted(OnCompleted);
    }

    private void OnCompleted()
    {
        try
        {
            _running.ThrowIfFailed();
        }
        catch (Exception failure)
        {
            Failure = failure;
        }

        _running = default;
        if (incarnation.IsRevoked)
            incarnation.Cell.System.Lost.CameBack();
        else
            incarnation.Cell.Tell(this);
    }

    internal override void Apply(ActorCell cell)
    {
        // Revoked between the completion and this turn: counted lost then, back now.
        if (!cell.TryFinish(this))
            cell.System.Lost.CameBack();
    }
}

internal static class CompletedValueTask
{
    /// <summary>
    /// Takes the outcome of a task that has completed; a pooled one must be asked for it exactly once.
    /// </summary>
    public static void ThrowIfFailed(this in ValueTask completed)
    {
        Debug.Assert(completed.IsCompleted, "this would block a turn");
#pragma warning disable VSTHRD002 // It has completed: nothing is waited for.
        completed.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }
}
