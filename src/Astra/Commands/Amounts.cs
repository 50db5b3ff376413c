using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Astra.Commands;

/// <summary>Dollars as people type and read them; inside and over the API they are whole nano-dollars.</summary>
public static class Amounts
{
    private const decimal NanosPerDollar = 1_000_000_000m;

    public static Option<long?> Option(string name, string description, bool isRequired) => new(name)
    {
        Description = description, HelpName = "DOLLARS", Required = isRequired, CustomParser = result => Read(name, result),
    };

    public static Argument<long> Argument(string name, string description) => new(name) { Description = description, CustomParser = result => Read(name, result) ?? 0 };

    /// <summary>Null for what is no amount, is negative, more than a billion, or finer than a nano-dollar.</summary>
    public static long? Parse(string text)
    {
        if (!decimal.TryParse(text.StartsWith('$') ? text[1..] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var dollars))
            return null;
        var nanos = dollars <= 1_000_000_000m ? dollars * NanosPerDollar : -1;
        return nanos >= 0 && nanos == decimal.Truncate(nanos) ? (long)nanos : null;
    }

    private static long? Read(string name, ArgumentResult result)
    {
        var nanos = Parse(result.Tokens[0].Value);
        if (nanos is null)
            result.AddError($"{name} takes dollars such as 5, 0.25 or $100, not '{result.Tokens[0].Value}'");
        return nanos;
    }

    /// <summary>With cents, and as many more digits as there are.</summary>
    public static string Text(long nanos) => $"{(nanos < 0 ? "-" : "")}${Math.Abs(nanos / NanosPerDollar).ToString("0.00#######", CultureInfo.InvariantCulture)}";
}
