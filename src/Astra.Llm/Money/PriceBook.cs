using System.Buffers;
using System.Collections.Frozen;

namespace Astra.Llm.Money;

/// <summary>
/// Prices by provider, model and time. What people have set stands before what is built in. Finding one takes no lock; new
/// prices make a new table.
/// </summary>
/// <param name="builtIn">What the program comes with.</param>
/// <param name="isRemote">Whether a provider is somebody else's machine.</param>
public sealed class PriceBook(IReadOnlyList<ModelPrice> builtIn, Func<string, bool> isRemote) : IPrices
{
    /// <summary>What stands for every provider: a model costs at a reseller what it costs at home unless the reseller says otherwise.</summary>
    public const string AnyProvider = "*";

    private static readonly PerMillionTokens Free = PerMillionTokens.Of(Nanodollars.Zero, Nanodollars.Zero);

    private volatile Table _table = new(builtIn, []);

    /// <summary>What people have set replaces what they had set before.</summary>
    public void Load(IReadOnlyList<ModelPrice> set) => _table = new Table(builtIn, set);

    /// <summary>Those that people have set, then those built in; of each model the latest first.</summary>
    public IReadOnlyList<ModelPrice> All => _table.All;

    /// <remarks>One that cannot be a price is none: under a cap it is refused, like a model nobody knows. A machine of one's own
    /// costs nothing by the token, unless somebody says that it does.</remarks>
    public ModelPrice? Find(string provider, string model, DateTimeOffset at)
    {
        var table = _table;
        if (!isRemote(provider))
            return table.Find(provider, model, at) ?? new ModelPrice(provider, model, DateTimeOffset.UnixEpoch, Free);
        return (table.Find(provider, model, at) ?? table.Find(AnyProvider, model, at)) is { } price && PriceRules.Refuse(price, isRemote: true) is null ? price : null;
    }

    private static readonly SearchValues<char> DatesAndSeparators = SearchValues.Create("0123456789-:@");

    private sealed class Table
    {
        private readonly FrozenDictionary<(string Provider, string Model), ModelPrice[]> _byModel;

        public Table(IReadOnlyList<ModelPrice> builtIn, IReadOnlyList<ModelPrice> set)
        {
            All = [.. Ordered(set), .. Ordered(builtIn)];
            // Grouping keeps the order, so that what was set comes first.
            _byModel = All.GroupBy(price => (price.Provider, price.Model)).ToFrozenDictionary(group => group.Key, group => group.ToArray());
        }

        public IReadOnlyList<ModelPrice> All { get; }

        /// <summary>By the model's name, or by the longest beginning of it that only a date follows: what costs something else is
        /// called something else.</summary>
        public ModelPrice? Find(string provider, string model, DateTimeOffset at)
        {
            for (var length = model.Length; length > 0 && IsSameModel(model.AsSpan(length)); length = model.AsSpan(0, length).LastIndexOfAny('-', ':', '@'))
            {
                if (!_byModel.TryGetValue((provider, length == model.Length ? model : model[..length]), out var prices))
                    continue;
                foreach (var price in prices)
                {
                    if (price.ValidFrom <= at)
                        return price;
                }
            }
            return null;
        }

        private static bool IsSameModel(ReadOnlySpan<char> rest) =>
            rest.IsEmpty || rest[1..] is "latest" || !rest.ContainsAnyExcept(DatesAndSeparators);

        private static IEnumerable<ModelPrice> Ordered(IReadOnlyList<ModelPrice> prices) => prices
            .OrderBy(price => price.Provider, StringComparer.Ordinal).ThenBy(price => price.Model, StringComparer.Ordinal).ThenByDescending(price => price.ValidFrom);
    }
}
