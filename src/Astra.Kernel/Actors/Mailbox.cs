using System.Diagnostics;
using System.Numerics;

namespace Astra.Kernel.Actors;

/// <summary>
/// A bounded queue from many senders to the one owner of the actor's turn, and the word that says who that owner is.
/// A send costs one locked instruction and no allocation. A new one is empty, and owned by whoever makes it.
/// </summary>
/// <remarks>
/// Everything that senders and owner must agree on is in one word: how many messages were ever claimed (the tail), and
/// four flags. Whoever clears <see cref="Idle"/> or <see cref="Parked"/> owns the turn and must run it; there is no
/// second flag to disagree with, so a wake-up cannot be missed.
/// 1. A sender claims a slot by moving the tail, then writes the sender, then the message. A null message is a slot
///    that is claimed but not published. Nothing that can throw stands between the two.
/// 2. Only the owner reads slots, and it clears each before it publishes the head, so a claimed slot is always empty.
/// 3. Published head &lt;= head &lt;= tail. A sender works with the published head and can only believe the mailbox
///    fuller than it is.
/// 4. A ring that is full below the bound is followed by a bigger one, never copied: claims from tail on go to the
///    bigger ring, and the owner moves on when it has read up to where that one starts. The generation in the word
///    makes a claim fail that was prepared for the smaller ring.
/// 5. A ring goes only when every claimed message has been read, under the same flag, and counts as a generation.
/// </remarks>
internal struct Mailbox
{
    /// <summary>Nobody runs the actor; the next sender must.</summary>
    private const long Idle = 1;

    /// <summary>Nobody runs the actor and messages must wait; only the system lane wakes it.</summary>
    private const long Parked = 2;

    /// <summary>A sender is putting up a bigger ring: two writes, during which nobody claims.</summary>
    private const long Frozen = 4;

    private const long Closed = 8;

    // Eight bits count rings and may wrap: while the tail stands still at most two rings come or go, so a sender cannot
    // find the same tail and the same count again after the ring it looked at has gone.
    private const long OneGeneration = 1 << 4;
    private const long Generations = 0xff << 4;
    private const int TailShift = 12;
    private const long OneMessage = 1 << TailShift;

    private const int FirstRingLength = 8;
    private const int RingGrowth = 4;

    // Telling the senders about every message read would move a cache line each time.
    private const int PublishInterval = 64;

    private long _state;
    private long _head;
    private long _publishedHead;
    private Ring? _writeRing;
    private Ring? _readRing;

    public readonly int Depth => (int)Math.Max(
        (Volatile.Read(in _state) >> TailShift) - Volatile.Read(in _publishedHead), 0);

    public readonly int SlotCount => Volatile.Read(in _writeRing)?.Slots.Length ?? 0;

    /// <summary>
    /// Any thread. After <paramref name="wake"/> the caller owns the turn and must have it run. The bound is the owner's
    /// to remember, always the same one: a million mailboxes need not.
    /// </summary>
    public SendResult TrySend(object message, ActorRef? sender, int capacityMax, out bool wake)
    {
        wake = false;
        var spinner = new SpinWait();
        while (true)
        {
            long state = Volatile.Read(ref _state);
            if ((state & (Closed | Frozen)) != 0)
            {
                if ((state & Closed) != 0)
                    return SendResult.Stopped;
                spinner.SpinOnce();
                continue;
            }

            long tail = state >> TailShift;
            long head = Volatile.Read(ref _publishedHead);
            if (tail - head >= capacityMax)
                return SendResult.Full;

            var ring = Volatile.Read(ref _writeRing);
            if (ring is null || tail - Math.Max(head, ring.Start) >= ring.Slots.Length)
            {
                Grow(state, ring, capacityMax);
                continue;
            }

            if (Interlocked.CompareExchange(ref _state, (state & ~Idle) + OneMessage, state) != state)
                continue;

            ref var slot = ref ring.Slots[(int)tail & (ring.Slots.Length - 1)];
            slot.Sender = sender;
            Volatile.Write(ref slot.Message, message);
            wake = (state & Idle) != 0;
            return SendResult.Ok;
        }
    }

    private void Grow(long state, Ring? full, int capacityMax)
    {
        int bound = (int)BitOperations.RoundUpToPowerOf2((uint)capacityMax);
        int length = Math.Min(full is null ? FirstRingLength : full.Slots.Length * RingGrowth, bound);
        Debug.Assert(full is null || length > full.Slots.Length, "a ring of the bound's size never fills below it");

        // Allocated before anything is frozen: running out of memory here leaves the mailbox as it was.
        var bigger = new Ring(length, state >> TailShift);
        if (Interlocked.CompareExchange(ref _state, state | Frozen, state) != state)
            return;

        if (full is null)
            Volatile.Write(ref _readRing, bigger);
        else
            Volatile.Write(ref full.Next, bigger);
        Volatile.Write(ref _writeRing, bigger);

        Unfreeze();
    }

    // The owner may move the other flags at the same time.
    private void Unfreeze()
    {
        while (true)
        {
            long state = Volatile.Read(ref _state);
            long next = (state & ~(Frozen | Generations)) | ((state + OneGeneration) & Generations);
            if (Interlocked.CompareExchange(ref _state, next, state) == state)
                return;
        }
    }

    /// <summary>Owner only: whether the ring has grown, and is worth giving back when it is not used.</summary>
    public readonly bool HasGrown => Volatile.Read(in _readRing) is { } ring && ring.Slots.Length > FirstRingLength;

    /// <summary>Owner only: gives the ring back. False when there is mail, or a sender at this very moment.</summary>
    public bool TryShrink()
    {
        long state = Volatile.Read(ref _state);
        // With nothing claimed beyond the head nobody holds a slot, and while it is frozen nobody claims one.
        if ((state & Frozen) != 0 || state >> TailShift != _head
            || Interlocked.CompareExchange(ref _state, state | Frozen, state) != state)
            return false;
        PublishHead();
        _readRing = null;
        Volatile.Write(ref _writeRing, null);
        Unfreeze();
        return true;
    }

    /// <summary>Owner only. False: nothing is published, which is not yet to say that nothing is claimed.</summary>
    public bool TryTake(out object message, out ActorRef? sender)
    {
        var ring = Volatile.Read(ref _readRing);
        while (ring is not null)
        {
            ref var slot = ref ring.Slots[(int)_head & (ring.Slots.Length - 1)];
            var published = Volatile.Read(ref slot.Message);
            if (published is not null)
            {
                message = published;
                sender = slot.Sender;
                slot.Sender = null;
                slot.Message = null;
                _head++;
                if (_head % PublishInterval == 0)
                    Volatile.Write(ref _publishedHead, _head);
                return true;
            }

            var next = Volatile.Read(ref ring.Next);
            if (next is null || next.Start != _head)
                break;
            _readRing = ring = next;
        }

        message = null!;
        sender = null;
        return false;
    }

    /// <summary>Whether senders have to be told of every single message read, or they would find it full too often.</summary>
    public static bool IsTiny(int capacityMax) => capacityMax < 4 * PublishInterval;

    /// <summary>Owner only: whether every message ever claimed has been read.</summary>
    public readonly bool IsDrained => Volatile.Read(in _state) >> TailShift == _head;

    /// <summary>How many messages were ever taken out.</summary>
    public readonly long TakenCount => Volatile.Read(in _head);

    public void PublishHead() => Volatile.Write(ref _publishedHead, _head);

    /// <summary>Owner only: gives up the turn unless there is mail. After true the caller owns nothing.</summary>
    public bool TryGoIdle()
    {
        PublishHead();
        while (true)
        {
            long state = Volatile.Read(ref _state);
            if (state >> TailShift != _head)
                return false;
            if (Interlocked.CompareExchange(ref _state, state | Idle, state) == state)
                return true;
        }
    }

    /// <summary>Owner only: gives up the turn, mail or not. Afterwards the caller owns nothing.</summary>
    public void Park()
    {
        PublishHead();
        Interlocked.Or(ref _state, Parked);
    }

    /// <summary>Any thread, for the system lane. After true the caller owns the turn and must have it run.</summary>
    public bool TryWake()
    {
        while (true)
        {
            long state = Volatile.Read(ref _state);
            if ((state & (Idle | Parked)) == 0)
                return false;
            if (Interlocked.CompareExchange(ref _state, state & ~(Idle | Parked), state) == state)
                return true;
        }
    }

    /// <summary>From here on sends are answered with <see cref="SendResult.Stopped"/>.</summary>
    public void Close() => Interlocked.Or(ref _state, Closed);

    private struct Slot
    {
        public object? Message;
        public ActorRef? Sender;
    }

    private sealed class Ring(int length, long start)
    {
        public readonly Slot[] Slots = new Slot[length];
        public readonly long Start = start;
        public Ring? Next;
    }
}
