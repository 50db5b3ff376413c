using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Astra.Chaos.Processes;

/// <summary>The network namespace of a run. Where there is one, its ports can run out without anybody else noticing.</summary>
internal static partial class Network
{
    private const string PortRange = "/proc/sys/net/ipv4/ip_local_port_range";
    private const ulong GetFlags = 0x8913;
    private const ulong SetFlags = 0x8914;
    private const int FlagsAt = 16;
    private const byte Up = 1;

    /// <summary>Why ports cannot run out here; null when they can.</summary>
    public static string? Problem { get; } = FindProblem();

    /// <summary>A new namespace has nothing but a loopback, and that is off.</summary>
    public static void RaiseLoopback()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        // struct ifreq: a name of 16 bytes, then the flags.
        var request = new byte[40];
        Encoding.ASCII.GetBytes("lo", request);
        if (ioctl((int)socket.Handle, GetFlags, request) != 0)
            throw new InvalidOperationException($"The loopback of the run's network cannot be looked at: error {Marshal.GetLastPInvokeError()}.");
        request[FlagsAt] |= Up;
        if (ioctl((int)socket.Handle, SetFlags, request) != 0)
            throw new InvalidOperationException($"The loopback of the run's network cannot be raised: error {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>The range that connections are begun from becomes as narrow as one port, and that one is taken. What listens and
    /// what is connected stays. Dispose gives the range back.</summary>
    public static IDisposable ExhaustPorts()
    {
        var before = File.ReadAllText(PortRange).Trim();
        var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Any, 0));
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        File.WriteAllText(PortRange, string.Create(CultureInfo.InvariantCulture, $"{port} {port}"));
        return new Exhaustion(before, taken);
    }

    private static string? FindProblem()
    {
        if (!Apart.HasNetwork)
            return "ports run out for a whole network, and this run may not have one of its own";
        try
        {
            File.OpenWrite(PortRange).Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"the range of ports cannot be changed here ({e.Message})";
        }
    }

    private sealed class Exhaustion(string before, Socket taken) : IDisposable
    {
        public void Dispose()
        {
            File.WriteAllText(PortRange, before);
            taken.Dispose();
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int file, ulong request, byte[] argument);
}
