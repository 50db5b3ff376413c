using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;

namespace Astra.Tools.Webhooks;

/// <summary>What is sent, as bytes: composed once, kept with its event, and signed as they are at every try.</summary>
public static class FailureMessages
{
    public static ReadOnlyMemory<byte> Of(NewGroup group) => Write(HookKinds.NewGroup, group.DiedAt, new NewGroupData(
        DeadGroup.IdOf(group.Fingerprint), group.Fingerprint, group.Reason, group.Count, group.Kinds, group.Executors, group.Task.Value, group.Goal.Value, group.DiedAt));

    public static ReadOnlyMemory<byte> Of(HourOfDeaths hour) => Write(HookKinds.HourlyRates, hour.Hour.AddHours(1), new HourlyRatesData(
        hour.Hour, hour.Rates.Sum(rate => rate.Count), [.. hour.Rates.Select(rate => new DeathRateView(rate.Hour, rate.Kind, rate.Executor, rate.Count))]));

    public static ReadOnlyMemory<byte> OfTest(HookId hook, string by, DateTimeOffset at) => Write(HookKinds.Test, at, new HookTestData(hook.Value, by));

    private static byte[] Write<T>(string type, DateTimeOffset at, T data) => AstraJson.Write(new FailureEventView(type, at, AstraJson.ToElement(data)));
}
