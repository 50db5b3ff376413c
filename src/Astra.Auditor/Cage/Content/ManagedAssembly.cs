using System.Buffers;
using System.Collections.Immutable;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text;

namespace Astra.Auditor.Cage.Content;

/// <summary>What the metadata of one assembly says: which outside APIs it references, what runs when it is loaded, and
/// what its strings and static data hold. Nothing is loaded or executed.</summary>
internal static class ManagedAssembly
{
    private const int ReachedMethodsMax = 4_000;
    private const int StringLengthMin = 8;
    private const int StringsLengthMax = 4 << 20;

    /// <summary>Static data this large and this random, next to APIs that load code, is a packed payload.</summary>
    private const int StaticDataMin = 4 << 10;

    /// <returns>False when the program holds no managed code.</returns>
    public static bool Judge(ReadOnlyMemory<byte> image, string where, Observations observations, PackageAbilities abilities)
    {
        try
        {
            using var file = new PEReader(ImmutableArray.Create(image.Span));
            if (!file.HasMetadata)
                return false;
            Judge(file, where, observations, abilities);
            return true;
        }
        catch (Exception failure) when (failure is BadImageFormatException or InvalidOperationException or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            observations.Add("assembly-broken", where, $"Reading it failed: {failure.Message}");
            return false;
        }
    }

    private static void Judge(PEReader file, string where, Observations observations, PackageAbilities abilities)
    {
        var metadata = file.GetMetadataReader();
        var members = ReferencedMembers(metadata);
        var able = Ability.None;
        foreach (var (_, ability) in members)
            able |= ability;
        foreach (var handle in metadata.MethodDefinitions)
        {
            if (!metadata.GetMethodDefinition(handle).GetImport().Module.IsNil)
                able |= Ability.Native;
        }
        abilities.Add(able, where);
        JudgeStrings(metadata, able, where, observations, abilities);
        JudgeStaticData(file, metadata, able, where, observations);
        JudgeInitializer(file, metadata, members, where, observations, abilities);
    }

    /// <summary>Abilities of every referenced member, by token.</summary>
    private static Dictionary<int, Ability> ReferencedMembers(MetadataReader metadata)
    {
        var abilities = new Dictionary<int, Ability>();
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference)
                continue;
            var type = metadata.GetTypeReference((TypeReferenceHandle)member.Parent);
            var ability = ApiTable.Of(metadata.GetString(type.Namespace), metadata.GetString(type.Name), metadata.GetString(member.Name), IsFromBytes(metadata, member));
            if (ability != Ability.None)
                abilities[MetadataTokens.GetToken(handle)] = ability;
        }
        return abilities;
    }

    /// <summary>Whether the first parameter is an array: `Assembly.Load(byte[])` against `Assembly.Load(string)`.</summary>
    private static bool IsFromBytes(MetadataReader metadata, MemberReference member)
    {
        var signature = metadata.GetBlobReader(member.Signature);
        if (signature.Length < 4)
            return false;
        var header = signature.ReadSignatureHeader();
        if (header.Kind != SignatureKind.Method || header.IsGeneric || signature.ReadCompressedInteger() == 0)
            return false;
        // The return type of every method asked about is a class: one byte and one compressed token.
        if (signature.ReadByte() is 0x12 or 0x11)
            signature.ReadCompressedInteger();
        return signature.RemainingBytes > 0 && signature.ReadByte() == 0x1D;
    }

    private static void JudgeStrings(MetadataReader metadata, Ability able, string where, Observations observations, PackageAbilities abilities)
    {
        // Reference assemblies have no strings, and then not even the heap's first byte.
        if (metadata.GetHeapSize(HeapIndex.UserString) <= 1)
            return;
        var all = new StringBuilder();
        for (var handle = MetadataTokens.UserStringHandle(1); !handle.IsNil && all.Length < StringsLengthMax; handle = metadata.GetNextHandle(handle))
        {
            var text = metadata.GetUserString(handle);
            if (text.Length < StringLengthMin)
                continue;
            if (text.Length >= 256 && CodeJudge.ProgramIn(text.Trim()) is { } program)
                observations.Add(able.HasFlag(Ability.LoadBytes) ? "loads-embedded-code" : "encoded-executable", where, $"A string of {text.Length} characters decodes to {program}.");
            all.Append(text).Append('\n');
        }
        var strings = all.ToString();
        Addresses.CollectHosts(strings, abilities.Hosts, countMax: 64);
        var found = Behaviours.Find(strings, Language.Shell);
        var secrets = found.Overlaps(Behaviour.Secrets);
        if (found.HasFlag(Behaviour.DropHost))
            observations.Add(secrets && able.HasFlag(Ability.Network) ? "code-collects-secrets" : "suspicious-host", where, "Its strings: " + ScriptJudge.Words(found & (Behaviour.Secrets | Behaviour.DropHost)) + ".");
        JudgeEncodedStrings(strings, able, where, observations);
    }

    /// <summary>Encoded strings that decode to something that acts, in an assembly that could do it.</summary>
    private static void JudgeEncodedStrings(string strings, Ability able, string where, Observations observations)
    {
        if (!able.Overlaps(Ability.Network | Ability.Process | Ability.Load | Ability.LoadBytes))
            return;
        foreach (var line in strings.Split('\n'))
        {
            if (line.Length is < 24 or > 64 << 10 || line.AsSpan().ContainsAny(ProseCharacters))
                continue;
            foreach (var view in TextViews.Of('"' + line + '"').Skip(1))
            {
                var acts = Behaviours.Find(view.Text, Language.Any) & (Behaviour.Network | Behaviour.Process | Behaviour.Secrets | Behaviour.PipeToShell | Behaviour.DropHost | Behaviour.Interpret);
                var names = view.Text.StartsWith("http", StringComparison.OrdinalIgnoreCase) || acts != Behaviour.None;
                if (view.IsDecoded && names)
                    observations.Add("encoded-code", where, $"A string decoded by {view.How}: {ScriptJudge.Words(acts)}.", evidence: view.Text);
            }
        }
    }

    private static readonly SearchValues<char> ProseCharacters = SearchValues.Create(" <>{}(),;");

    private static void JudgeStaticData(PEReader file, MetadataReader metadata, Ability able, string where, Observations observations)
    {
        foreach (var handle in metadata.FieldDefinitions)
        {
            var address = metadata.GetFieldDefinition(handle).GetRelativeVirtualAddress();
            if (address == 0)
                continue;
            var size = StaticDataSize(metadata, handle);
            if (size < 64)
                continue;
            var section = file.GetSectionData(address);
            var data = section.GetReader(0, Math.Min(size, section.Length)).ReadBytes(Math.Min(size, section.Length));
            // A DOS stub, which every tool that writes programs carries, is 128 bytes; a program is more.
            if (size > 512 && FileKinds.IsProgram(FileKinds.Of(data)))
                observations.Add(able.HasFlag(Ability.LoadBytes) ? "loads-embedded-code" : "encoded-executable", where, $"Static data of {size} bytes is a program.");
            else if (size >= StaticDataMin && able.HasFlag(Ability.LoadBytes) && Entropy.BitsPerByte(data) > 7.6)
                observations.Add("loads-embedded-code", where, $"Static data of {size} bytes looks encrypted or packed, and the assembly loads code from bytes.");
        }
    }

    private static int StaticDataSize(MetadataReader metadata, FieldDefinitionHandle handle)
    {
        var signature = metadata.GetBlobReader(metadata.GetFieldDefinition(handle).Signature);
        signature.ReadSignatureHeader();
        if (signature.ReadByte() != 0x11)
            return 0;
        var type = signature.ReadTypeHandle();
        return type.Kind == HandleKind.TypeDefinition ? metadata.GetTypeDefinition((TypeDefinitionHandle)type).GetLayout().Size : 0;
    }

    /// <summary>Follows the module initialiser through the assembly's own methods and judges what it reaches.</summary>
    private static void JudgeInitializer(
        PEReader file, MetadataReader metadata, Dictionary<int, Ability> members, string where, Observations observations, PackageAbilities abilities)
    {
        var module = metadata.GetTypeDefinition(MetadataTokens.TypeDefinitionHandle(1));
        var start = module.GetMethods().FirstOrDefault(handle => metadata.StringComparer.Equals(metadata.GetMethodDefinition(handle).Name, ".cctor"));
        if (start.IsNil)
            return;
        abilities.RunsByItself.Add(where + " (module initialiser)");
        var (reached, strings) = Reach(file, metadata, members, start);
        var text = Behaviours.Find(strings, Language.Shell | Language.CSharp) & (Behaviour.Secrets | Behaviour.DropHost | Behaviour.PipeToShell | Behaviour.Persist);
        var network = reached.HasFlag(Ability.Network);
        var acts = reached & (Ability.Network | Ability.Process | Ability.LoadBytes);
        var attacks = (network && reached.Overlaps(Ability.Process | Ability.LoadBytes | Ability.Environment))
            || (acts != Ability.None && text != Behaviour.None)
            || (reached.HasFlag(Ability.LoadBytes) && reached.HasFlag(Ability.Decode));
        var detail = "It reaches: " + (reached == Ability.None ? "nothing outside" : reached.ToString().ToLowerInvariant()) + ".";
        if (attacks)
            observations.Add("module-initializer-attacks", where, detail, evidence: strings.Length == 0 ? null : ScriptJudge.Quote(strings, 0));
        else if (acts != Ability.None)
            observations.Add("module-initializer-acts", where, detail);
        else
            observations.Add("module-initializer", where, detail);
    }

    private static (Ability Reached, string Strings) Reach(PEReader file, MetadataReader metadata, Dictionary<int, Ability> members, MethodDefinitionHandle start)
    {
        var reached = Ability.None;
        var strings = new StringBuilder();
        var seen = new HashSet<MethodDefinitionHandle> { start };
        var open = new Queue<MethodDefinitionHandle>(seen);
        while (open.TryDequeue(out var handle) && seen.Count < ReachedMethodsMax)
        {
            var method = metadata.GetMethodDefinition(handle);
            if (!method.GetImport().Module.IsNil)
                reached |= Ability.Native;
            if (method.RelativeVirtualAddress == 0)
                continue;
            var body = file.GetMethodBody(method.RelativeVirtualAddress).GetILContent();
            foreach (var (instruction, token) in IlReader.Tokens(body.AsSpan()))
            {
                if (instruction == IlReader.LoadString)
                {
                    if (strings.Length < 64 << 10)
                        strings.Append(metadata.GetUserString(MetadataTokens.UserStringHandle(token & 0xFFFFFF))).Append('\n');
                    continue;
                }
                reached |= members.GetValueOrDefault(token);
                foreach (var next in MethodsBehind(metadata, token))
                {
                    if (seen.Add(next))
                        open.Enqueue(next);
                }
            }
        }
        return (reached, strings.ToString());
    }

    /// <summary>The assembly's own methods that naming a token may run: the method itself; for a constructor, every method
    /// of a compiler-made state machine or closure, whose MoveNext nobody calls by name.</summary>
    private static IEnumerable<MethodDefinitionHandle> MethodsBehind(MetadataReader metadata, int token)
    {
        var handle = MetadataTokens.EntityHandle(token);
        if (handle.Kind == HandleKind.MethodSpecification)
        {
            handle = metadata.GetMethodSpecification((MethodSpecificationHandle)handle).Method;
        }
        if (handle.Kind == HandleKind.MethodDefinition)
        {
            var method = (MethodDefinitionHandle)handle;
            yield return method;
            foreach (var sibling in Siblings(metadata, metadata.GetMethodDefinition(method).GetDeclaringType()))
                yield return sibling;
        }
        else if (handle.Kind == HandleKind.FieldDefinition)
        {
            foreach (var sibling in Siblings(metadata, metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType()))
                yield return sibling;
        }
    }

    private static IEnumerable<MethodDefinitionHandle> Siblings(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        var type = metadata.GetTypeDefinition(handle);
        var compilerMade = metadata.GetString(type.Name).StartsWith('<') && !type.GetDeclaringType().IsNil;
        foreach (var method in type.GetMethods())
        {
            var name = metadata.GetMethodDefinition(method).Name;
            if (metadata.StringComparer.Equals(name, ".cctor") || (compilerMade && metadata.StringComparer.Equals(name, "MoveNext")))
                yield return method;
        }
    }
}
