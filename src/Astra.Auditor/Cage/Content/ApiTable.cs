namespace Astra.Auditor.Cage.Content;

/// <summary>What code can do through the platform's APIs.</summary>
[Flags]
internal enum Ability
{
    None = 0,
    Network = 1,
    Process = 2,
    Load = 4,
    LoadBytes = 8,
    Native = 16,
    Environment = 32,
    Decode = 64,
}

/// <summary>The platform's types and members behind each ability. Simple data types of System.Net are not the network.</summary>
internal static class ApiTable
{
    public static Ability Of(string space, string type, string member, bool fromBytes) => (space, type) switch
    {
        ("System.Net.Http", "HttpClient" or "HttpMessageInvoker" or "SocketsHttpHandler" or "HttpClientHandler") => Ability.Network,
        ("System.Net.Sockets", "Socket" or "TcpClient" or "UdpClient" or "TcpListener" or "NetworkStream") => Ability.Network,
        ("System.Net", "WebClient" or "WebRequest" or "HttpWebRequest" or "FtpWebRequest" or "HttpListener" or "Dns") => Ability.Network,
        ("System.Net.WebSockets", "ClientWebSocket") => Ability.Network,
        ("System.Net.Mail", "SmtpClient") => Ability.Network,
        ("System.Net.NetworkInformation", "Ping") => Ability.Network,
        ("System.Net.Quic", _) => Ability.Network,
        ("System.Diagnostics", "Process") when member is "Start" => Ability.Process,
        ("System.Reflection", "Assembly") when member is "Load" => fromBytes ? Ability.LoadBytes : Ability.Load,
        ("System.Reflection", "Assembly") when member is "LoadFrom" or "LoadFile" or "UnsafeLoadFrom" => Ability.Load,
        ("System.Runtime.Loader", "AssemblyLoadContext") when member is "LoadFromStream" => Ability.LoadBytes,
        ("System.Runtime.Loader", "AssemblyLoadContext") when member.StartsWith("LoadFrom", StringComparison.Ordinal) => Ability.Load,
        ("System", "AppDomain") when member is "Load" => fromBytes ? Ability.LoadBytes : Ability.Load,
        ("System.Reflection.Emit", "DynamicMethod" or "AssemblyBuilder") => Ability.Load,
        ("System.Runtime.InteropServices", "NativeLibrary") => Ability.Native,
        ("System.Runtime.InteropServices", "Marshal") when member is "GetDelegateForFunctionPointer" => Ability.Native,
        ("System", "Environment") when member is "GetEnvironmentVariables" => Ability.Environment,
        ("System", "Convert") when member is "FromBase64String" or "FromHexString" => Ability.Decode,
        ("System.Security.Cryptography", _) when member is "CreateDecryptor" or "Decrypt" => Ability.Decode,
        ("System.IO.Compression", "GZipStream" or "DeflateStream" or "BrotliStream") => Ability.Decode,
        _ => Ability.None,
    };
}

/// <summary>Gathered over all files of a package: its abilities for the report, and what the next audit compares with.</summary>
internal sealed class PackageAbilities
{
    private readonly SortedDictionary<Ability, SortedSet<string>> _files = [];

    public SortedSet<string> Hosts { get; } = new(StringComparer.Ordinal);
    public SortedSet<string> RunsByItself { get; } = new(StringComparer.Ordinal);

    public void Add(Ability abilities, string where)
    {
        foreach (var ability in new[] { Ability.Network, Ability.Process, Ability.Load, Ability.LoadBytes, Ability.Native })
        {
            if (!abilities.HasFlag(ability))
                continue;
            if (!_files.TryGetValue(ability, out var files))
                _files[ability] = files = new SortedSet<string>(StringComparer.Ordinal);
            files.Add(where);
        }
    }

    public IReadOnlyList<string> Words =>
        [.. _files.Keys.Select(WordOf).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>One line per ability for the whole package; a line per file would bury the rest.</summary>
    public void Report(Observations observations)
    {
        foreach (var (rule, abilities) in new[] { ("can-network", Ability.Network), ("can-process", Ability.Process), ("can-load-code", Ability.Load | Ability.LoadBytes), ("can-call-native", Ability.Native) })
        {
            var files = _files.Where(entry => entry.Key.Overlaps(abilities)).SelectMany(entry => entry.Value).Distinct().Order(StringComparer.Ordinal).ToList();
            if (files.Count > 0)
                observations.Add(rule, files[0], files.Count == 1 ? "In this file." : $"In {files.Count} files.");
        }
        if (Hosts.Count > 0)
            observations.Add("addresses", "", string.Join(", ", Hosts.Take(20)) + (Hosts.Count > 20 ? ", …" : ""));
    }

    private static string WordOf(Ability ability) => ability switch
    {
        Ability.Network => "network",
        Ability.Process => "process",
        Ability.Native => "p/invoke",
        _ => "load",
    };
}

internal static class Entropy
{
    /// <summary>8 is noise, 0 is one byte repeated; compressed and encrypted data lie above 7.6.</summary>
    public static double BitsPerByte(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            return 0;
        Span<int> counts = stackalloc int[256];
        foreach (var value in data)
            counts[value]++;
        double bits = 0;
        foreach (var count in counts)
        {
            if (count == 0)
                continue;
            var share = (double)count / data.Length;
            bits -= share * Math.Log2(share);
        }
        return bits;
    }
}
