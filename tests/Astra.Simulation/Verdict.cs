namespace Astra.Simulation;

/// <summary>An invariant does not hold. The message is the whole finding.</summary>
public sealed class InvariantViolatedException(string finding) : Exception(finding);

/// <summary>The first thing that was found wrong, wherever it was found.</summary>
internal sealed class Verdict
{
    public string? Finding { get; private set; }

    public void Check(bool holds, FormattableString otherwise)
    {
        if (holds)
            return;
        var finding = FormattableString.Invariant(otherwise);
        Finding ??= finding;
        throw new InvariantViolatedException(finding);
    }

    /// <summary>Runs something that nobody awaits. The kernel answers with refusals, so an exception is a finding.</summary>
    public void Watch(Func<Task> work)
    {
        _ = RunAsync();

        async Task RunAsync()
        {
            try
            {
                await work();
            }
            catch (Exception e)
            {
                Finding ??= e is InvariantViolatedException ? e.Message : $"An exception came out of the kernel: {e}";
            }
        }
    }
}
