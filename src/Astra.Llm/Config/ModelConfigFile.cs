using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Llm.Config;

/// <summary>The configuration is wrong; the message says where and what to do.</summary>
public sealed class ModelConfigException(string sentence, Exception? cause = null) : Exception(sentence, cause);

/// <summary>The one file about models. It is written whole or not at all, and a wrong one changes nothing.</summary>
public sealed class ModelConfigFile(string path)
{
    public const string Name = "models.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    public string Path { get; } = path;

    /// <summary>When the file last changed; null while there is none.</summary>
    public DateTime? ChangedAt => File.Exists(Path) ? File.GetLastWriteTimeUtc(Path) : null;

    /// <exception cref="ModelConfigException">It cannot be read, or says what cannot be.</exception>
    public ModelConfig Read()
    {
        if (!File.Exists(Path))
            return ModelConfig.Empty;
        try
        {
            var config = JsonSerializer.Deserialize<ModelConfig>(File.ReadAllBytes(Path), Json) ?? ModelConfig.Empty;
            return ModelConfigRules.Problem(config) is { } problem ? throw new ModelConfigException($"{Path}: {problem}") : config;
        }
        catch (JsonException e)
        {
            throw new ModelConfigException($"{Path} is not the configuration of models expected here: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelConfigException($"{Path} cannot be read: {e.Message}", e);
        }
    }

    public void Write(ModelConfig config)
    {
        var unfinished = $"{Path}.{Environment.ProcessId}";
        File.WriteAllBytes(unfinished, JsonSerializer.SerializeToUtf8Bytes(config, Json));
        File.Move(unfinished, Path, overwrite: true);
    }

    /// <summary>Two configurations of a provider are the same when they are written the same.</summary>
    internal static bool AreSame(ProviderConfig left, ProviderConfig right) =>
        JsonSerializer.SerializeToUtf8Bytes(left, Json).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(right, Json));
}
