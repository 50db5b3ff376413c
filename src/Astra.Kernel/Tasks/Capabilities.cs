namespace Astra.Kernel.Tasks;

/// <summary>
/// What a worker has beside its executors: words such as <c>gpu</c> or <c>os:linux</c>. The kernel compares them and knows
/// no meaning. In a task they are one text, sorted and separated by blanks, so that two tasks that ask for the same are
/// seen to.
/// </summary>
public static class Capabilities
{
    public const int CountMax = 32;
    public const int LengthMax = 100;

    /// <summary>Null for none.</summary>
    public static string? Join(IEnumerable<string>? capabilities) =>
        capabilities is null ? null : string.Join(' ', capabilities.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)) is { Length: > 0 } joined ? joined : null;

    public static IReadOnlyList<string> Split(string? joined) => joined is null ? [] : joined.Split(' ');

    /// <summary>Why this is no list of capabilities, or null.</summary>
    public static string? Refuse(IReadOnlyCollection<string?> capabilities)
    {
        if (capabilities.Count > CountMax)
            return $"there are at most {CountMax} capabilities, and {capabilities.Count} were given.";
        foreach (var capability in capabilities)
            if (string.IsNullOrEmpty(capability) || capability.Length > LengthMax || !capability.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ':' or '.' or '-' or '_' or '+' or '/'))
                return $"a capability is 1 to {LengthMax} letters, digits and :.-_+/ and '{PlainText.Clean(capability ?? "", LengthMax)}' is not.";
        return null;
    }
}
