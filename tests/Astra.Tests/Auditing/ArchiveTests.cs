using System.Buffers.Binary;
using System.Formats.Tar;
using System.Text;
using Xunit;
using static Astra.Tests.Auditing.PlantedPackages;

namespace Astra.Tests.Auditing;

/// <summary>Archives that attack whoever opens them, and archives that merely look odd.</summary>
public sealed class ArchiveTests : IDisposable
{
    private static readonly (string Path, byte[] Content) Manifest = ("Planted.nuspec", Nuspec("Planted", "1.0.0"));

    private readonly PlantedPackages _planted = new();

    public void Dispose() => _planted.Dispose();

    [Theory]
    [InlineData("../../outside.dll")]
    [InlineData("lib/../../outside.dll")]
    [InlineData("/etc/cron.d/planted")]
    [InlineData("..\\..\\outside.dll")]
    [InlineData("C:/Windows/outside.dll")]
    [InlineData("%2e%2e/outside.dll")]
    public void An_entry_that_leaves_the_package_is_caught(string name) =>
        _planted.InspectNuGetArchive(Zip(Manifest, (name, "x"u8.ToArray()))).IsCaughtBy("path-escape");

    [Theory]
    [InlineData("../outside.js")]
    [InlineData("package/../../outside.js")]
    [InlineData("/tmp/outside.js")]
    public void A_tar_entry_that_leaves_the_package_is_caught(string name) =>
        _planted.InspectNpmArchive(Tgz(TarFile("package/package.json", "{}"), TarFile(name, "x"))).IsCaughtBy("path-escape");

    [Theory]
    [InlineData("../../../home")]
    [InlineData("/etc/passwd")]
    public void A_link_that_leads_out_is_caught(string target) =>
        _planted.InspectNpmArchive(Tgz(TarFile("package/package.json", "{}"), new PaxTarEntry(TarEntryType.SymbolicLink, "package/link") { LinkName = target })).IsCaughtBy("link-escape");

    [Fact]
    public void A_link_inside_the_package_and_dots_in_names_are_unremarkable() =>
        _planted.InspectNpmArchive(Tgz(
            TarFile("package/package.json", "{}"), TarFile("package/lib/a..b.js", "module.exports = 1"), TarFile("package/...js", "1"),
            new PaxTarEntry(TarEntryType.SymbolicLink, "package/lib/link") { LinkName = "../a.js" })).IsUnremarkable();

    [Fact]
    public void A_zip_bomb_is_caught_without_unpacking_it() =>
        _planted.InspectNuGetArchive(Zip(Manifest, ("lib/zeros.bin", new byte[64 << 20]))).IsCaughtBy("archive-bomb");

    [Fact]
    public void A_bomb_of_many_entries_is_caught() =>
        _planted.InspectNuGetArchive(Zip([Manifest, .. Enumerable.Range(0, 40).Select(number => ($"lib/{number}.bin", new byte[1 << 20]))])).IsCaughtBy("archive-bomb");

    [Fact]
    public void A_tar_bomb_is_caught() =>
        _planted.InspectNpmArchive(Tgz(TarFile("package/package.json", "{}"), TarFile("package/zeros.bin", new byte[64 << 20]))).IsCaughtBy("archive-bomb");

    [Fact]
    public void A_bomb_inside_an_archive_inside_the_package_is_caught() =>
        _planted.InspectNuGetArchive(Zip(Manifest, ("lib/inner.zip", Zip(("zeros.bin", new byte[32 << 20]))))).IsCaughtBy("archive-bomb");

    [Fact]
    public void A_bomb_that_lies_about_its_size_is_caught()
    {
        var archive = Zip(Manifest, ("lib/zeros.bin", new byte[16 << 20]));
        // The directory's copy of the uncompressed size, 24 bytes into its record.
        var record = archive.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(archive.AsSpan(record + 24), 100);
        var answer = _planted.InspectNuGetArchive(archive);
        answer.IsCaughtBy("headers-disagree");
        answer.IsCaughtBy("archive-bomb");
    }

    [Fact]
    public void A_large_table_that_compresses_well_is_unremarkable()
    {
        var table = new StringBuilder();
        for (var row = 0; table.Length < 8 << 20; row++)
            table.Append($"{row},{row * 7919 % 10007},{row * 31 % 997}\n");
        _planted.InspectNuGetArchive(Zip(Manifest, ("data/table.csv", Encoding.UTF8.GetBytes(table.ToString())))).IsUnremarkable();
    }

    [Fact]
    public void A_truncated_archive_is_a_finding()
    {
        var archive = Zip(Manifest, ("lib/a.bin", Enumerable.Range(0, 5000).Select(number => (byte)(number * 7)).ToArray()));
        _planted.InspectNuGetArchive(archive[..(archive.Length / 2)]).IsCaughtBy("archive-broken");
    }

    [Fact]
    public void A_truncated_tarball_is_a_finding()
    {
        var noise = new byte[200_000];
        new Random(7).NextBytes(noise);
        var archive = Tgz(TarFile("package/package.json", "{}"), TarFile("package/noise.bin", noise));
        _planted.InspectNpmArchive(archive[..(archive.Length / 2)]).IsCaughtBy("archive-broken");
    }

    [Fact]
    public void Bytes_that_are_no_archive_are_a_finding() =>
        _planted.InspectNuGetArchive("this is not a package"u8.ToArray()).IsCaughtBy("archive-broken");

    [Fact]
    public void An_entry_with_two_names_is_caught()
    {
        var archive = Zip(Manifest, ("lib/visible.dll", "x"u8.ToArray()));
        var local = archive.AsSpan().IndexOf("lib/visible.dll"u8);
        "lib/another.dll"u8.CopyTo(archive.AsSpan(local));
        _planted.InspectNuGetArchive(archive).IsCaughtBy("headers-disagree");
    }

    [Fact]
    public void The_same_path_twice_is_caught() =>
        _planted.InspectNuGetArchive(Zip(Manifest, ("lib/a.dll", "one"u8.ToArray()), ("lib/a.dll", "two"u8.ToArray()))).IsCaughtBy("duplicate-entries");

    [Fact]
    public void Entries_that_share_bytes_are_caught()
    {
        var archive = Zip(Manifest, ("lib/a.txt", "one"u8.ToArray()), ("lib/b.txt", "two"u8.ToArray()));
        // Points the last record of the directory at the first entry's header.
        var record = archive.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(archive.AsSpan(record + 42), 0);
        _planted.InspectNuGetArchive(archive).IsCaughtBy("entries-overlap");
    }

    [Theory]
    [InlineData("lib/photo\u202Egnp.exe")]
    [InlineData("docs/readme.txt        .exe")]
    [InlineData("lib/in\u0007visible.dll")]
    public void A_name_made_to_deceive_is_caught(string name) =>
        _planted.InspectNuGetArchive(Zip(Manifest, (name, "x"u8.ToArray()))).IsCaughtBy("name-deceives");

    [Theory]
    [InlineData("docs/manual.pdf", "executable-disguised")]
    [InlineData("images/logo", "executable-in-docs")]
    [InlineData("lib/.cache/helper", "executable-hidden")]
    public void A_program_where_none_belongs_is_caught(string name, string rule) =>
        _planted.InspectNuGetArchive(Zip(Manifest, (name, [.. "\u007fELF\u0002\u0001\u0001"u8, .. new byte[100]]))).IsCaughtBy(rule);

    [Fact]
    public void A_native_library_in_its_place_is_information()
    {
        var answer = _planted.InspectNuGetArchive(Zip(Manifest, ("runtimes/linux-x64/native/libplanted.so", [.. "\u007fELF\u0002\u0001\u0001"u8, .. new byte[100]])));
        answer.IsUnremarkable();
        answer.IsCaughtBy("native-code");
    }
}
