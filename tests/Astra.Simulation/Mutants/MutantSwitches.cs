using System.Reflection;
using System.Text.RegularExpressions;
using Astra.Kernel;

namespace Astra.Simulation.Mutants;

/// <summary>The switches of the kernel that this program was built with. They are of the whole process: set between worlds,
/// never while one runs.</summary>
public static partial class MutantSwitches
{
    // By reflection: the kernel shows its switches to nobody, and the product's has none to show.
    private static readonly IReadOnlyDictionary<string, FieldInfo> Fields = typeof(KernelNode).Assembly.GetType("Astra.Kernel.Mutants")!
        .GetFields(BindingFlags.Public | BindingFlags.Static).ToDictionary(field => NameOf(field.Name), StringComparer.Ordinal);

    /// <summary>In the order in which the kernel lists them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Fields.Values.OrderBy(field => field.MetadataToken).Select(field => NameOf(field.Name))];

    /// <summary>False in the product, where each switch is a constant.</summary>
    public static bool AreReal => Fields.Values.All(one => !one.IsLiteral);

    /// <summary>Breaks one promise, and keeps all the others.</summary>
    public static void Set(string? mutant)
    {
        foreach (var (name, one) in Fields)
            one.SetValue(null, name == mutant);
    }

    private static string NameOf(string field) => Capital().Replace(field, match => (match.Index == 0 ? "" : "-") + match.Value.ToLowerInvariant());

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Capital();
}
