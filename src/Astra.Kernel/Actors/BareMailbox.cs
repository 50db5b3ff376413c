namespace Astra.Kernel.Actors;

/// <summary>What reads a <see cref="BareMailbox"/>.</summary>
public interface IMailReader
{
    void Read(object message, ActorRef? sender);
}

/// <summary>
/// The ring of an actor without the actor around it: no life, no supervision, no scheduling. It is the yardstick: what
/// an actor costs more than this is the price of its features.
/// </summary>
public sealed class BareMailbox(int capacityMax, IMailReader reader)
{
    private Mailbox _mailbox;

    /// <summary>Any thread. <paramref name="wake"/> says that nobody is reading, and that somebody must.</summary>
    public SendResult TrySend(object message, ActorRef? sender, out bool wake) =>
        _mailbox.TrySend(message, sender, capacityMax, out wake);

    /// <summary>Reads until there is nothing left. One thread at a time: the one that was told to wake it.</summary>
    public void ReadAll()
    {
        do
        {
            while (_mailbox.TryTake(out object message, out var sender))
                reader.Read(message, sender);
        }
        while (!_mailbox.TryGoIdle());
    }
}
