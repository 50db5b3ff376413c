namespace Astra.Llm.Money;

/// <summary>Nobody has said what anything costs.</summary>
public sealed class NoPrices : IPrices
{
    public static readonly NoPrices Instance = new();

    private NoPrices()
    {
    }

    public ModelPrice? Find(string provider, string model, DateTimeOffset at) => null;
}
