using System.Net;
using System.Net.Sockets;

namespace Astra.Tools.Webhooks;

/// <summary>
/// Which addresses a message may go to. Tenants choose the URLs and this server sends: without rules a hook would reach
/// whatever the server reaches, the cloud's metadata and the neighbours' databases included. Public addresses only, unless
/// whoever runs the server has named a network.
/// </summary>
public sealed class AddressRules(IReadOnlyCollection<IPNetwork> allowed)
{
    // Everything that IANA's registries of special-purpose addresses do not call globally reachable, and what embeds an
    // address of the other family or is relayed by strangers.
    private static readonly IPNetwork[] NotPublic =
    [
        .. ((string[])[
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ]).Select(IPNetwork.Parse),
    ];

    /// <summary>Of IPv6 only this part is given out for the public; loopback, local, mapped and multicast addresses are outside.</summary>
    private static readonly IPNetwork PublicV6 = IPNetwork.Parse("2000::/3");

    /// <summary>Named by whoever runs the server: also without encryption.</summary>
    public bool IsNamed(IPAddress address) => Plain(address) is var plain && allowed.Any(network => network.Contains(plain));

    public bool IsAllowed(IPAddress address) => IsPublic(address) || IsNamed(address);

    public static bool IsPublic(IPAddress address)
    {
        var plain = Plain(address);
        return (plain.AddressFamily == AddressFamily.InterNetwork || PublicV6.Contains(plain)) && !NotPublic.Any(network => network.Contains(plain));
    }

    /// <summary>127.0.0.1 can also be written as an IPv6 address, and is no other place for that.</summary>
    private static IPAddress Plain(IPAddress address) =>
        address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
        // A zone says on which wire; a network has none to compare with.
        : address is { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 } ? new IPAddress(address.GetAddressBytes())
        : address;
}

/// <summary>The rules do not let a message go there.</summary>
public sealed class AddressRefusedException(string sentence) : IOException(sentence);
