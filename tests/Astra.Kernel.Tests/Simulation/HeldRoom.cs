using System.Reflection;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>How much room a node has in memory: the elements of every array that can be reached from it, used or not. What
/// stands for the world outside (stores, clocks, workers) is not looked into.</summary>
internal static class HeldRoom
{
    private static readonly string[] Outside = ["Astra.Kernel.InMemory", "Astra.Testing", "Astra.Simulation", "Astra.Kernel.Tests", "System.Reflection", "System.Threading", "Xunit"];

    public static long Of(object root)
    {
        var (seen, toSee, elements) = (new HashSet<object>(ReferenceEqualityComparer.Instance), new Stack<object>([root]), 0L);
        while (toSee.TryPop(out var next))
        {
            if (!seen.Add(next))
                continue;
            if (next is Array array)
            {
                elements += array.Length;
                if (array.GetType().GetElementType() is { IsPrimitive: false })
                    foreach (var element in array)
                        See(element);
                continue;
            }
            for (var type = next.GetType(); type is not null; type = type.BaseType)
                foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                    if (field.FieldType is { IsPrimitive: false, IsPointer: false, IsByRef: false, IsEnum: false })
                        See(field.GetValue(next));
        }
        return elements;

        void See(object? value)
        {
            if (value is not null and not string and not Type and not Pointer && !IsOutside(value.GetType()))
                toSee.Push(value);
        }
    }

    private static bool IsOutside(Type type) => Outside.Any(name => type.Namespace?.StartsWith(name, StringComparison.Ordinal) == true);
}
