using System.Globalization;
using Astra.Sdk;

namespace Astra.Chaos.Worker;

/// <summary>`Astra.Chaos worker SERVER KEYFILE RECEIVER SLOTS`: what a run starts and kills.</summary>
internal static class WorkerProgram
{
    public static async Task<int> RunAsync(string server, string keyFile, string receiver, string slots)
    {
        using var agent = new ChaosAgent(new Uri(receiver));
        var worker = new AstraWorker(new Uri(server), (await File.ReadAllTextAsync(keyFile)).Trim())
        {
            Name = $"chaos-{Environment.ProcessId}",
            Slots = int.Parse(slots, CultureInfo.InvariantCulture),
            Log = line => Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {line}"),
        }.Add(agent);
        await worker.RunAsync();
        return 0;
    }
}
