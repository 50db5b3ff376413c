using System.Globalization;

namespace Astra.Llm.Money;

/// <summary>
/// An amount of money in billionths of a dollar. Whole numbers only: an amount that went through a double is not the sum of
/// its parts, and a cap that is compared with it holds nearly. What does not fit throws, and never wraps round to a small sum.
/// </summary>
public readonly record struct Nanodollars(long Value) : IComparable<Nanodollars>
{
    public const long PerDollar = 1_000_000_000;

    // Six digits are what a price list has; the rest is shown only where there is some.
    private const string Format = "0.000000###";

    public static readonly Nanodollars Zero;

    public static Nanodollars FromDollars(decimal dollars) => new(checked((long)(dollars * PerDollar)));

    public int CompareTo(Nanodollars other) => Value.CompareTo(other.Value);

    public static Nanodollars Max(Nanodollars left, Nanodollars right) => left.Value >= right.Value ? left : right;

    public static Nanodollars operator +(Nanodollars left, Nanodollars right) => new(checked(left.Value + right.Value));
    public static Nanodollars operator -(Nanodollars left, Nanodollars right) => new(checked(left.Value - right.Value));
    public static Nanodollars operator *(Nanodollars amount, long times) => new(checked(amount.Value * times));

    public static bool operator <(Nanodollars left, Nanodollars right) => left.Value < right.Value;
    public static bool operator >(Nanodollars left, Nanodollars right) => left.Value > right.Value;
    public static bool operator <=(Nanodollars left, Nanodollars right) => left.Value <= right.Value;
    public static bool operator >=(Nanodollars left, Nanodollars right) => left.Value >= right.Value;

    public override string ToString()
    {
        var dollars = (decimal)Value / PerDollar;
        return string.Create(CultureInfo.InvariantCulture, $"{(Value < 0 ? "-" : "")}${Math.Abs(dollars).ToString(Format, CultureInfo.InvariantCulture)}");
    }
}
