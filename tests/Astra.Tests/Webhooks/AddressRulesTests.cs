using System.Net;
using Astra.Tools.Webhooks;
using Xunit;

namespace Astra.Tests.Webhooks;

/// <summary>Where messages of hooks may go.</summary>
public sealed class AddressRulesTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.255.0.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.127.255.255")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.8")]
    [InlineData("192.0.2.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.168.0.1")]
    [InlineData("198.18.0.1")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::7f00:1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("64:ff9b::a00:1")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:a00:1::1")]
    [InlineData("3fff::1")]
    [InlineData("fc00::1")]
    [InlineData("fe80::1%2")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void An_address_that_is_not_public_is_refused(string address) => Assert.False(new AddressRules([]).IsAllowed(IPAddress.Parse(address)));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.1")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("192.167.255.255")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:1.1.1.1")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001::1")]
    public void A_public_address_is_allowed(string address) => Assert.True(new AddressRules([]).IsAllowed(IPAddress.Parse(address)));

    [Fact]
    public void A_network_that_was_named_is_allowed_and_its_neighbours_are_not()
    {
        var rules = new AddressRules([IPNetwork.Parse("10.1.0.0/16"), IPNetwork.Parse("fd00::/8")]);
        foreach (var address in (string[])["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"])
            Assert.True(rules.IsAllowed(IPAddress.Parse(address)) && rules.IsNamed(IPAddress.Parse(address)), address);
        foreach (var address in (string[])["10.2.0.1", "127.0.0.1", "fc00::1"])
            Assert.False(rules.IsAllowed(IPAddress.Parse(address)), address);
        Assert.False(rules.IsNamed(IPAddress.Parse("1.1.1.1")));
    }

    [Fact]
    public void Tries_are_apart_twice_as_long_each_time_up_to_an_hour_and_end()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), HookCourier.DelayAfter(1, 1));
        Assert.Equal(TimeSpan.FromSeconds(0.5), HookCourier.DelayAfter(1, 0));
        Assert.Equal(TimeSpan.FromSeconds(64), HookCourier.DelayAfter(7, 1));
        Assert.Equal(TimeSpan.FromHours(1), HookCourier.DelayAfter(HookCourier.TriesMax - 1, 1));
        Assert.Null(HookCourier.DelayAfter(HookCourier.TriesMax, 1));
        var whole = Enumerable.Range(1, HookCourier.TriesMax - 1).Sum(attempt => HookCourier.DelayAfter(attempt, 1)!.Value.TotalHours);
        Assert.InRange(whole, 5.5, 6.5);
    }
}
