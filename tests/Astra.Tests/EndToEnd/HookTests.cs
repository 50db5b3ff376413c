using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Astra.Sdk;
using Astra.Tests.Structure;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Hooks of a real server, which is killed, and a real receiver, which is not always there.</summary>
public sealed class HookTests : IAsyncDisposable
{
    private const string Allow = "--hook-allow";
    private const string Loopback = "127.0.0.1";

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();
    private readonly int _port = HttpReceiver.FreePort();

    private string Url => $"http://{Loopback}:{_port}/astra";

    [Fact]
    public async Task A_new_cause_of_death_is_told_once_by_a_message_whose_signature_holds()
    {
        await using var receiver = new HookReceiver(_port);
        var server = await _machine.ServeAsync(_machine.Data, Allow, Loopback);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = await TestWorker.StartAsync(client, Key, TestWorker.Picky());
        var (id, secret) = await AddAsync();

        var test = await _machine.Astra("hook", "test", id).EndsWithAsync(0);
        Assert.Contains("answered 204", test.Out, StringComparison.Ordinal);
        var first = await receiver.SeesAsync(1);
        Assert.Equal(("hook.test", true), (first.Type, first.IsSignedWith(secret)));

        await DieAsync(client, "bad-sour-1", "bad-sour-2");
        var told = await receiver.SeesAsync(2, server.ToString);
        Assert.Equal(("/astra", "dead_group.new", true), (told.Path, told.Type, told.IsSignedWith(secret)));
        Assert.StartsWith("msg_", told.Id, StringComparison.Ordinal);
        var group = Assert.Single(await client.ListDeadGroupsAsync(None));
        Assert.Equal((group.Id, group.Fingerprint, "It tastes sour."), (Text(told, "group"), Text(told, "fingerprint"), Text(told, "reason")));
        Assert.Equal(["agent:picky"], told.Data.GetProperty("executors").EnumerateArray().Select(executor => executor.GetString()));
        await VerifyAsDocumentedAsync(secret, told);

        // More of the same cause is no news; another cause is. It comes after whatever the first could have brought.
        await DieAsync(client, "bad-sour-3");
        await DieAsync(client, "bad-bitter-1");
        Assert.Equal("It tastes bitter.", Text(await receiver.SeesAsync(3), "reason"));
        var events = (await client.ListFailureEventsAsync(cancellationToken: None)).Items;
        Assert.Equal([("hook.test", 1L), ("dead_group.new", 2L), ("dead_group.new", 3L)], events.Select(happened => (happened.Type, happened.Seq!.Value)));

        var listed = await _machine.Astra("dead", "events", "--after", "2").EndsWithAsync(0);
        Assert.Contains("It tastes bitter.", listed.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("hook.test", listed.Out, StringComparison.Ordinal);

        // A group that was emptied and is back is news again.
        var sour = (await client.ListDeadLettersAsync(group: group.Id, cancellationToken: None)).Items;
        foreach (var dead in sour.Skip(1))
            await client.DiscardAsync(dead.Task.Id, "one is enough", None);
        await client.ReplayAsync(sour[0].Task.Id, None);
        Assert.Equal("It tastes sour.", Text(await receiver.SeesAsync(4), "reason"));

        await Eventually.HoldsAsync("every message is settled", async () => (await client.GetHookAsync(Guid.Parse(id), None)).Hook.Waiting == 0);
        var shown = await _machine.Astra("hook", "show", id, "--json").EndsWithAsync(0);
        var list = await _machine.Astra("hook", "list").EndsWithAsync(0);
        Assert.Contains(id, list.Out, StringComparison.Ordinal);
        Assert.All(JsonElement.Parse(shown.Out).GetProperty("deliveries").EnumerateArray(), delivery => Assert.Equal("delivered", delivery.GetProperty("state").GetString()));
        foreach (var said in (string[])[shown.Out, list.Out, server.Out, server.Error, .. receiver.Seen.Select(seen => seen.Json.GetRawText())])
            Assert.DoesNotContain(secret["whsec_".Length..], said, StringComparison.Ordinal);

        Assert.Contains("is removed", (await _machine.Astra("hook", "remove", id).EndsWithAsync(0)).Out, StringComparison.Ordinal);
        Assert.Contains("There is no hook", (await _machine.Astra("hook", "test", id).EndsWithAsync(1)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_receiver_that_was_away_or_answered_an_error_gets_the_message_when_it_is_back()
    {
        var server = await _machine.ServeAsync(_machine.Data, Allow, Loopback, "--log", "json");
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = await TestWorker.StartAsync(client, Key, TestWorker.Picky());
        var (id, secret) = await AddAsync();
        await DieAsync(client, "bad");
        await Eventually.HoldsAsync("a try that failed", async () => (await client.ListHooksAsync(None)) is [{ Waiting: 1, Problem: not null, NextAt: not null }]);
        Assert.Contains("ConnectionRefused", (await _machine.Astra("hook", "list").EndsWithAsync(0)).Out, StringComparison.Ordinal);

        await using var receiver = new HookReceiver(_port) { Answer = _ => 302 };
        var moved = await receiver.SeesAsync(1);
        receiver.Answer = _ => 500;
        await receiver.SeesAsync(2);
        receiver.Answer = _ => 200;
        var last = await receiver.SeesAsync(3);
        Assert.Equal((moved.Id, "/astra", true), (last.Id, last.Path, last.IsSignedWith(secret)));
        Assert.Equal(moved.Body, last.Body);
        await Eventually.HoldsAsync("it is delivered", async () => (await client.GetHookAsync(Guid.Parse(id), None)).Deliveries is [{ State: DeliveryState.Delivered, Attempt: >= 4, Status: 200 }]);
        Assert.DoesNotContain(receiver.Seen, seen => seen.Path == "/elsewhere");

        // A receiver that wants no more is asked once.
        receiver.Answer = _ => 410;
        await DieAsync(client, "bad-salty");
        await Eventually.HoldsAsync("it is given up", async () => (await client.GetHookAsync(Guid.Parse(id), None)).Deliveries is [{ State: DeliveryState.Failed, Attempt: 1, Status: 410 }, ..]);
        Assert.Contains("410", (await _machine.Astra("hook", "list").EndsWithAsync(0)).Out, StringComparison.Ordinal);
        // The log says whose it is in fields of their own, and nothing of what was sent or answered.
        var line = JsonElement.Parse(await server.SaysAsync("was given up after try 1"));
        Assert.Equal((Guid.Parse(id), "warning"), (line.GetProperty("hookId").GetGuid(), line.GetProperty("level").GetString()));
        Assert.Contains(line.GetProperty("messageId").GetGuid().ToString(), line.GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.True(line.TryGetProperty("tenantId", out _));
    }

    [Fact]
    public async Task A_message_that_was_on_its_way_when_the_server_was_killed_is_sent_by_the_next_one()
    {
        await using var receiver = new HookReceiver(_port) { Answer = _ => null };
        var server = await _machine.ServeAsync(_machine.Data, Allow, Loopback);
        string id, secret;
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            await using var worker = await TestWorker.StartAsync(client, Key, TestWorker.Picky());
            (id, secret) = await AddAsync();
            await DieAsync(client, "bad");
            await receiver.SeesAsync(1);
            await server.KillAsync();
        }

        receiver.Answer = _ => 200;
        await _machine.ServeAsync(_machine.Data, Allow, Loopback);
        using var again = await AstraMachine.ClientAsync(_machine.Data);
        var second = await receiver.SeesAsync(2);
        Assert.Equal((receiver.Seen.First().Id, true), (second.Id, second.IsSignedWith(secret)));
        Assert.Equal(receiver.Seen.First().Body, second.Body);
        await Eventually.HoldsAsync("it is delivered", async () => (await again.GetHookAsync(Guid.Parse(id), None)).Deliveries is [{ State: DeliveryState.Delivered }]);
        var rate = Assert.Single(await again.ListDeathRatesAsync(cancellationToken: None));
        Assert.Equal(("eat", "agent:picky", 1), (rate.Kind, rate.Executor, rate.Count));
    }

    [Fact]
    public async Task A_hook_hears_of_its_own_tenant_only_and_is_none_for_another()
    {
        await using var receiver = new HookReceiver(_port);
        await _machine.ServeAsync(_machine.Data, Allow, Loopback);
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        await using var worker = await TestWorker.StartAsync(client, Key, TestWorker.Picky());
        var otherKey = (await client.CreateTenantAsync(new TenantRequest("other"), None)).Secret;
        using var other = new AstraClient(client.Address, otherKey);
        await using var otherWorker = await TestWorker.StartAsync(other, otherKey, TestWorker.Picky());
        var mine = (await client.AddHookAsync(new HookRequest($"{Url}/mine"), None)).Hook;
        var theirs = await other.AddHookAsync(new HookRequest($"{Url}/theirs"), None);

        await DieAsync(client, "bad-sour");
        Assert.Equal("/astra/mine", (await receiver.SeesAsync(1)).Path);
        await DieAsync(other, "bad-bitter");
        var told = await receiver.SeesAsync(2);
        Assert.Equal(("/astra/theirs", "It tastes bitter.", true), (told.Path, Text(told, "reason"), told.IsSignedWith(theirs.Secret)));
        Assert.Equal(2, receiver.Seen.Count);

        foreach (var call in (Func<Task>[])[() => other.GetHookAsync(mine.Id, None), () => other.TestHookAsync(mine.Id, None), () => other.RemoveHookAsync(mine.Id, None)])
            Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(call)).Status);
        Assert.Equal(theirs.Hook.Id, Assert.Single(await other.ListHooksAsync(None)).Id);
        Assert.Equal("It tastes bitter.", Assert.Single((await other.ListFailureEventsAsync(cancellationToken: None)).Items).Data.GetProperty("reason").GetString());
        Assert.Equal(1, Assert.Single(await other.ListDeathRatesAsync(cancellationToken: None)).Count);

        var member = (await client.CreateApiKeyAsync(new ApiKeyRequest("member"), None)).Secret;
        using var asMember = new AstraClient(client.Address, member);
        Assert.Single(await asMember.ListHooksAsync(None));
        Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => asMember.AddHookAsync(new HookRequest(Url), None))).Status);
    }

    [Fact]
    public async Task An_address_that_is_not_public_is_refused_unless_whoever_runs_the_server_named_it()
    {
        await using var receiver = new HookReceiver(_port);
        var server = await _machine.ServeAsync(_machine.Data, Allow, Loopback);
        var (id, _) = await AddAsync();
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
            await client.StopServerAsync(None);
        await server.EndsAsync();

        // It was allowed when it was added; what counts is what is allowed when something is sent.
        await _machine.ServeAsync(_machine.Data);
        var test = await _machine.Astra("hook", "test", id).EndsWithAsync(1);
        Assert.Contains("not at a public address", test.Error, StringComparison.Ordinal);
        foreach (var url in (string[])
            [Url, $"http://localhost:{_port}/", $"http://[::1]:{_port}/", $"http://[::ffff:127.0.0.1]:{_port}/", $"http://2130706433:{_port}/", $"http://0.0.0.0:{_port}/",
                "https://10.0.0.1/", "https://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://[fd00::1]/", "https://[64:ff9b::7f00:1]/"])
        {
            var refused = await AddWithApiAsync(url);
            Assert.True(refused.Status == 422 && refused.Message.Contains("not at a public address", StringComparison.Ordinal), $"{url}: {refused.Message}");
        }
        Assert.Contains("encrypted", (await AddWithApiAsync("http://1.1.1.1/")).Message, StringComparison.Ordinal);
        foreach (var url in (string[])["ftp://example.org/", "example.org", "https://user:pass@1.1.1.1/", "https://1.1.1.1/ x", "https://1.1.1.1/#part"])
            Assert.Equal(422, (await AddWithApiAsync(url)).Status);
        var cli = await _machine.Astra("hook", "add", Url).EndsWithAsync(1);
        Assert.Contains("--hook-allow", cli.Error, StringComparison.Ordinal);
        Assert.Contains("dead_group.new", (await _machine.Astra("hook", "add", "https://1.1.1.1/", "--on", "everything").EndsWithAsync(1)).Error, StringComparison.Ordinal);
        Assert.Contains("--hook-allow takes", (await _machine.StartOn(_machine.DataOf("never"), "serve", Allow, "anywhere").EndsWithAsync(64)).Error, StringComparison.Ordinal);
        Assert.Empty(receiver.Seen);
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private string Key => _machine.Data.ReadAdminKey()!;

    private async Task<(string Id, string Secret)> AddAsync()
    {
        var added = JsonElement.Parse((await _machine.Astra("hook", "add", Url, "--json").EndsWithAsync(0)).Out);
        return (added.GetProperty("hook").GetProperty("id").GetString()!, added.GetProperty("secret").GetString()!);
    }

    private async Task<AstraException> AddWithApiAsync(string url)
    {
        using var client = await AstraMachine.ClientAsync(_machine.Data);
        return await Assert.ThrowsAsync<AstraException>(() => client.AddHookAsync(new HookRequest(url), None));
    }

    private static async Task DieAsync(AstraClient client, params string[] words)
    {
        var goal = await client.SubmitAsync(TestWorker.Meal(words), cancellationToken: None);
        await Eventually.HoldsAsync("its tasks are dead", async () => (await client.GetGoalAsync(goal.Id, None)).Tasks.Dead == words.Length);
    }

    private static string? Text(HookRequestSeen seen, string name) => seen.Data.GetProperty(name).GetString();

    /// <summary>The program in docs/webhooks.md, as it stands there, with a message as it came and one that was tampered with.</summary>
    private async Task VerifyAsDocumentedAsync(string secret, HookRequestSeen seen)
    {
        var document = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "webhooks.md"), None);
        var program = _machine.Write("verify.py", Regex.Match(document, "```python\n(?<program>.*?)```", RegexOptions.Singleline).Groups["program"].Value + """

            import sys
            secret, message, timestamp, signature, path = sys.argv[1:]
            print(verify(secret, {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": signature}, open(path, "rb").read()))
            """);
        var body = Path.Combine(_machine.Root, "body.json");
        foreach (var (bytes, verdict) in ((byte[], string)[])[(seen.Body, "True"), ([.. seen.Body, (byte)' '], "False")])
        {
            await File.WriteAllBytesAsync(body, bytes, None);
            var python = new ProcessStartInfo("python3") { ArgumentList = { program, secret, seen.Id, seen.Timestamp, seen.Signature, body } };
            Assert.Equal(verdict, (await _machine.Run(python).EndsWithAsync(0)).Out.Trim());
        }
    }
}
