using System.Diagnostics;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Waits for what another process will do. The deadline is generous: it only decides when a hang is called one.</summary>
internal static class Eventually
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(20);

    /// <param name="what">What is waited for, for the message when it does not come.</param>
    /// <param name="look">Null: not yet.</param>
    /// <param name="elseSay">What to show besides when it does not come.</param>
    public static async Task<T> SeeAsync<T>(string what, Func<Task<T?>> look, Func<string>? elseSay = null)
        where T : class
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < WaitMax;)
        {
            if (await look() is { } seen)
                return seen;
            await Task.Delay(PollPeriod, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException($"Not seen within {WaitMax.TotalSeconds:0} s: {what}. {elseSay?.Invoke()}");
    }

    public static Task HoldsAsync(string what, Func<Task<bool>> isSo, Func<string>? elseSay = null) =>
        SeeAsync(what, async () => await isSo() ? what : null, elseSay);
}
