using System.Globalization;
using System.Runtime.CompilerServices;

namespace Astra.Simulation;

/// <summary>An invariant does not hold. The message is the whole finding.</summary>
public sealed class InvariantViolatedException(string finding) : Exception(finding);

/// <summary>The first thing that was found wrong, wherever it was found.</summary>
internal sealed class Verdict
{
    public string? Finding { get; private set; }

    public void Check(bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref Otherwise otherwise)
    {
        if (!holds)
            Find(otherwise.ToStringAndClear());
    }

    private void Find(string finding)
    {
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

/// <summary>What is said when something does not hold. While everything holds nothing of it is even computed: millions of
/// checks are made for each sentence that is read.</summary>
[InterpolatedStringHandler]
internal ref struct Otherwise
{
    private DefaultInterpolatedStringHandler _text;

    public Otherwise(int literalLength, int formattedCount, bool holds, out bool isWanted)
    {
        isWanted = !holds;
        if (isWanted)
            _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    public string ToStringAndClear() => _text.ToStringAndClear();
}
