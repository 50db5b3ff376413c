using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Astra.Auditor;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>No byte of a package is parsed outside the cage: code outside it does not even name what could.</summary>
public sealed class AuditorArchitectureTests
{
    private static readonly HashSet<string> Openers =
    [
        "System.IO.File", "System.IO.FileStream", "System.IO.FileInfo", "System.IO.StreamReader", "System.IO.RandomAccess",
        "System.IO.Compression.ZipArchive", "System.IO.Compression.GZipStream", "System.IO.Compression.DeflateStream", "System.IO.Compression.ZLibStream",
        "System.Formats.Tar.TarReader", "System.Reflection.Metadata.MetadataReader", "System.Reflection.PortableExecutable.PEReader",
        "System.Xml.XmlReader", "System.Xml.Linq.XDocument", "YamlDotNet.Core.Parser",
    ];

    [Fact]
    public void Code_outside_the_cage_names_nothing_that_opens_or_parses_a_file()
    {
        using var stream = File.OpenRead(typeof(AuditorAgent).Assembly.Location);
        using var file = new PEReader(stream);
        var metadata = file.GetMetadataReader();
        var offenders = new List<string>();
        foreach (var handle in metadata.TypeDefinitions)
        {
            var name = FullName(metadata, handle);
            if (name.StartsWith("Astra.Auditor.Cage.", StringComparison.Ordinal) || !name.StartsWith("Astra.Auditor.", StringComparison.Ordinal))
                continue;
            foreach (var method in metadata.GetTypeDefinition(handle).GetMethods().Select(metadata.GetMethodDefinition).Where(method => method.RelativeVirtualAddress != 0))
            {
                // Tokens are looked for at every offset: a false reading could only accuse, never excuse.
                var body = file.GetMethodBody(method.RelativeVirtualAddress).GetILBytes()!;
                for (var at = 0; at + 5 <= body.Length; at++)
                {
                    if (body[at] is 0x28 or 0x6F or 0x73 && Owner(metadata, BitConverter.ToInt32(body, at + 1)) is { } owner && (Openers.Contains(owner) || owner.StartsWith("Astra.Auditor.Cage.", StringComparison.Ordinal)))
                        offenders.Add($"{name}.{metadata.GetString(method.Name)} uses {owner}");
                }
            }
        }
        Assert.Empty(offenders);
    }

    [Fact]
    public void Both_tools_are_the_binary_itself_with_nothing_mounted_by_default()
    {
        Assert.Equal([AuditorTools.DiscoverName, AuditorTools.InspectName], AuditorTools.Definitions.Select(tool => tool.Name));
        Assert.All(AuditorTools.Definitions, tool => Assert.Equal("astra", tool.Command[0]));
        Assert.All(AuditorTools.Definitions, tool => Assert.Empty(tool.Mounts));
    }

    private static string? Owner(MetadataReader metadata, int token)
    {
        try
        {
            var handle = System.Reflection.Metadata.Ecma335.MetadataTokens.EntityHandle(token);
            return handle.Kind switch
            {
                HandleKind.MemberReference when metadata.GetMemberReference((MemberReferenceHandle)handle).Parent is { Kind: HandleKind.TypeReference } parent => FullName(metadata, (TypeReferenceHandle)parent),
                HandleKind.MethodDefinition => FullName(metadata, metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType()),
                _ => null,
            };
        }
        catch (Exception failure) when (failure is BadImageFormatException or ArgumentException)
        {
            return null;
        }
    }

    private static string FullName(MetadataReader metadata, TypeReferenceHandle handle) =>
        metadata.GetTypeReference(handle) is var type ? metadata.GetString(type.Namespace) + "." + metadata.GetString(type.Name) : "";

    private static string FullName(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        var type = metadata.GetTypeDefinition(handle);
        var outer = type.GetDeclaringType();
        return outer.IsNil ? metadata.GetString(type.Namespace) + "." + metadata.GetString(type.Name) : FullName(metadata, outer) + "+" + metadata.GetString(type.Name);
    }
}
