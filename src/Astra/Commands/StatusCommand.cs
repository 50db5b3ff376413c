using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra status`: asks, starts nothing. "Not running" is an answer, with an exit code of its own.</summary>
public static class StatusCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("status", "Say whether a server runs, and what it is doing.") { json };
        command.WithExamples("status", "status --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            await using var server = await access.FindAsync(cancellationToken);
            var output = surroundings.Terminal.Out;
            if (server is null)
            {
                var busy = access.Data.IsLocked();
                if (parsed.GetValue(json))
                    JsonOutput.Write(output, new { running = false, locked = busy, data = access.Data.Path });
                else if (busy)
                    await output.WriteLineAsync($"Astra is starting or stopping, and does not answer yet (data in {access.Data.Path}).");
                else
                    await output.WriteLineAsync($"Astra is not running (data in {access.Data.Path}); start it with: {shared.Again(parsed, surroundings, "up")}");
                return ExitCodes.NotRunning;
            }

            if (parsed.GetValue(json))
            {
                JsonOutput.Write(
                    output,
                    new { running = true, data = access.Data.Path, address = server.File.Address, pid = server.File.Pid, server = server.Status });
            }
            else
                Write(output, server.File.Address, server.File.Pid, access.Data.Path, server.Status, surroundings.Clock.GetUtcNow());
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Write(TextWriter output, Uri address, int pid, string data, StatusView status, DateTimeOffset now) => Tables.WriteFacts(
        output,
        ("Astra", $"{status.Version}, running for {Words.Elapsed(now - status.StartedAt)} (process {pid})"),
        ("Address", address.ToString()),
        ("Data", data),
        ("Database", status.Database),
        ("Node", status.NodeId),
        ("Shards", $"{status.ShardsOwned} of {status.ShardsTotal}"),
        ("Nodes", status.Nodes.Count > 1 ? $"{status.Nodes.Count(node => node.Alive)} alive of {status.Nodes.Count}" : null),
        ("Goals", $"{status.GoalsActive} active"),
        ("Tasks", $"{status.TasksReady} ready, {status.TasksRunning} running"),
        ("Workers", $"{status.WorkersConnected} connected"),
        ("Draining", status.Draining ? "yes: it hands nothing out; `astra drain --off` ends that" : null),
        ("Longest wait", status.WaitAtMostSeconds is { } wait && status.TenantsWaiting > 0 ? $"{wait:0.0##} s for a tenant's first slot ({status.TenantsWaiting} waiting)" : null),
        ("Sandbox", status.SandboxTier),
        ("Memory", Words.Size(status.ResidentBytes)));
}
