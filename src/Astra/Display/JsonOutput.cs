using System.Text.Json;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>What `--json` prints: one document, in the wire's own form, so that the CLI and the API read alike.</summary>
public static class JsonOutput
{
    private static readonly JsonSerializerOptions Indented = new(AstraJson.Options) { WriteIndented = true };

    public static void Write<T>(TextWriter output, T value) => output.WriteLine(JsonSerializer.Serialize(value, Indented));

    /// <summary>One line per document, for what does not end.</summary>
    public static void WriteLine<T>(TextWriter output, T value) => output.WriteLine(JsonSerializer.Serialize(value, AstraJson.Options));
}
