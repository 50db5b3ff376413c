using Astra.Auditor;
using Astra.Auditor.Cage;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>What a directory uses, where it lies, and what the project itself leaves open.</summary>
public sealed class DiscoveryTests : IDisposable
{
    private readonly PlantedPackages _planted = new();

    public void Dispose() => _planted.Dispose();

    private DiscoverAnswer Discover(bool machine = false) => Discoverer.Discover(new DiscoverRequest
    {
        Tree = _planted.Tree, Machine = machine, NuGetFolders = [_planted.NuGetCache], SitePackages = [_planted.SitePackages],
    });

    [Fact]
    public void A_lock_file_gives_packages_hashes_and_the_shortest_chain()
    {
        _planted.Write("tree/app/packages.lock.json", """
            {"version":2,"dependencies":{"net10.0":{
              "A":{"type":"Direct","resolved":"1.0.0","contentHash":"aaaa","dependencies":{"B":"1.0.0"}},
              "B":{"type":"Transitive","resolved":"1.0.0","contentHash":"bbbb","dependencies":{"C":"1.0.0"}},
              "C":{"type":"Transitive","resolved":"1.0.0","contentHash":"cccc"}}}}
            """);
        var third = Discover().Packages.Single(package => package.Id == "C");
        Assert.True(third.Used);
        Assert.Equal(["app/packages.lock.json", "A 1.0.0", "B 1.0.0", "C 1.0.0"], third.Chain);
        Assert.Equal(["contentHash:cccc"], third.Expected);
    }

    [Fact]
    public void Packages_of_the_cache_that_no_lock_names_are_others()
    {
        _planted.PlantNuGet("Used", "1.0.0");
        _planted.PlantNuGet("Stray", "2.0.0");
        _planted.Write("tree/packages.lock.json", """{"version":1,"dependencies":{"net10.0":{"Used":{"type":"Direct","resolved":"1.0.0","contentHash":"x"}}}}""");
        var packages = Discover().Packages;
        Assert.True(packages.Single(package => package.Id == "Used").Used);
        Assert.Single(packages.Single(package => package.Id == "Used").Parts);
        Assert.False(packages.Single(package => package.Id == "stray").Used);
    }

    [Fact]
    public void A_cache_of_an_ecosystem_the_project_does_not_use_is_read_only_for_the_machine()
    {
        _planted.PlantNuGet("Stray", "2.0.0");
        Assert.Empty(Discover().Packages);
        Assert.Single(Discover(machine: true).Packages);
    }

    [Fact]
    public void A_package_lock_gives_nested_packages_with_their_chains()
    {
        _planted.Write("tree/package-lock.json", """
            {"name":"app","lockfileVersion":3,"packages":{
              "":{"dependencies":{"a":"1"}},
              "node_modules/a":{"version":"1.0.0","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz","integrity":"sha512-AAAA","dependencies":{"@s/b":"2"}},
              "node_modules/a/node_modules/@s/b":{"version":"2.0.0","resolved":"http://mirror.example/b.tgz"}}}
            """);
        _planted.Write("tree/node_modules/a/package.json", """{"name":"a","version":"1.0.0"}""");
        var answer = Discover();
        Assert.Single(answer.Packages.Single(package => package.Id == "a").Parts);
        var nested = answer.Packages.Single(package => package.Id == "@s/b");
        Assert.Equal(["package-lock.json", "a 1.0.0", "@s/b 2.0.0"], nested.Chain);
        Assert.Equal(["source-not-encrypted", "no-integrity"], nested.Findings.Select(finding => finding.Rule));
    }

    [Fact]
    public void Poetry_and_uv_locks_give_hashes_and_chains()
    {
        _planted.Write("tree/poetry.lock", """
            [[package]]
            name = "top"
            version = "1.0"
            files = [
                {file = "top-1.0.whl", hash = "sha256:00aa"},
            ]
            [package.dependencies]
            low_er = ">=1"

            [[package]]
            name = "low-er"
            version = "2.0"
            files = []
            """);
        _planted.Write("tree/svc/uv.lock", """
            version = 1
            [[package]]
            name = "svc"
            version = "0.1.0"
            source = { virtual = "." }
            dependencies = [{ name = "httpx" }]
            [[package]]
            name = "httpx"
            version = "0.27.0"
            source = { registry = "https://pypi.org/simple" }
            sdist = { url = "https://files.example/h.tar.gz", hash = "sha256:11bb" }
            """);
        var packages = Discover().Packages;
        Assert.Equal(["sha256:00aa"], packages.Single(package => package.Id == "top").Expected);
        Assert.Equal(["poetry.lock", "top 1.0", "low-er 2.0"], packages.Single(package => package.Id == "low-er").Chain);
        Assert.Equal(["svc/uv.lock", "httpx 0.27.0"], packages.Single(package => package.Id == "httpx").Chain);
        Assert.DoesNotContain(packages, package => package.Id == "svc");
    }

    [Fact]
    public void Requirements_without_a_version_or_hash_are_findings()
    {
        _planted.Write("tree/requirements.txt", "pinned==1.0 \\\n    --hash=sha256:00aa\nloose>=2\nbare==3.0\n");
        var answer = Discover();
        Assert.Equal(["sha256:00aa"], answer.Packages.Single(package => package.Id == "pinned").Expected);
        Assert.Contains(answer.Packages.Single(package => package.Id == "bare").Findings, finding => finding.Rule == "no-integrity");
        Assert.Contains(answer.ProjectFindings, finding => finding is { Rule: "requirement-not-pinned", Line: 3 });
    }

    [Theory]
    [InlineData("packages.lock.json", "{\n \"dependencies\": {\n oops")]
    [InlineData("package-lock.json", "{\"packages\": [}")]
    [InlineData("poetry.lock", "[[package]]\nname = \"x")]
    public void A_lock_file_that_cannot_be_read_is_a_finding_with_its_line(string name, string content)
    {
        _planted.Write("tree/" + name, content);
        var finding = Assert.Single(Discover().ProjectFindings, finding => finding.Rule == "lock-malformed");
        Assert.Equal(name, finding.Where);
        Assert.NotNull(finding.Line);
    }

    [Fact]
    public void Actions_and_images_without_a_pin_are_found_with_their_line()
    {
        _planted.Write("tree/.github/workflows/ci.yml", """
            jobs:
              build:
                container: node:20
                steps:
                  - uses: actions/checkout@v4
                  - uses: actions/setup-dotnet@0123456789abcdef0123456789abcdef01234567
                  - uses: ./local
            """);
        _planted.Write("tree/Dockerfile", "ARG BASE=alpine:3\nFROM ${BASE} AS build\nFROM build\nFROM busybox@sha256:0123\n");
        var found = Discover().ProjectFindings.Select(finding => (finding.Rule, finding.Where, finding.Line)).ToHashSet();
        Assert.Equal(
            [("action-not-pinned", ".github/workflows/ci.yml", 5), ("image-not-pinned", ".github/workflows/ci.yml", 3), ("image-not-pinned", "Dockerfile", 2)],
            found.OrderBy(finding => finding.Rule).ThenBy(finding => finding.Where, StringComparer.Ordinal));
    }

    [Fact]
    public void An_allow_list_entry_without_a_reason_or_too_wide_is_malformed()
    {
        _planted.Write("tree/.astra-audit.yaml", """
            allow:
              - package: nuget/Good@1.*
                rule: build-exec
                reason: Reviewed by hand.
                until: 2030-01-31
              - package: nuget/NoReason@1.0.0
                rule: build-exec
              - package: "*/*"
                rule: hash-mismatch
                reason: quiet
              - package: nuget/Odd@1.0.0
                rule: no-such-rule
                reason: typo
            """);
        var answer = Discover();
        var entry = Assert.Single(answer.Allowed);
        Assert.Equal(new AllowEntry("nuget/Good@1.*", "build-exec", "Reviewed by hand.", new DateOnly(2030, 1, 31), 2), entry);
        Assert.Equal([6, 8, 11], answer.ProjectFindings.Where(finding => finding.Rule == "allow-list-malformed").Select(finding => finding.Line!.Value).Order());
    }

    [Fact]
    public void A_link_in_the_tree_is_not_followed()
    {
        _planted.PlantNuGet("Elsewhere", "1.0.0");
        File.CreateSymbolicLink(Path.Combine(_planted.Tree, "node_modules"), _planted.NuGetCache);
        Assert.Empty(Discover().Packages);
    }

    [Fact]
    public void Start_up_files_that_no_distribution_owns_are_a_package_of_their_own()
    {
        _planted.Write("site/stray.pth", "import os;os.system('id')\n");
        var package = Assert.Single(Discover(machine: true).Packages);
        Assert.Equal(Ecosystem.Python, package.Ecosystem);
        Assert.Single(package.Parts);
    }

    [Fact]
    public void This_repositorys_own_dependencies_have_no_critical_and_at_most_three_high_findings()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Astra.slnx")))
            root = root.Parent;
        var places = AuditPlaces.OfThisMachine(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));
        var answer = Discoverer.Discover(new DiscoverRequest { Tree = root!.FullName, NuGetFolders = places.NuGetFolders });
        var found = answer.Packages.Where(package => package is { Used: true, Parts.Count: > 0 })
            .SelectMany(package => Inspector.Inspect(new InspectRequest { Ecosystem = package.Ecosystem, Id = package.Id, Version = package.Version, Expected = package.Expected, Parts = package.Parts }).Findings.Select(finding => (package.Name, finding)))
            .Where(found => Rules.Of(found.finding).Severity >= Severity.High).Select(found => $"{Rules.Of(found.finding).Severity} {found.Name} {found.finding.Rule} {found.finding.Where} {found.finding.Detail}").ToList();
        Assert.True(answer.Packages.Count(package => package.Parts.Count > 0) > 10, "The packages folder of this machine holds none of them.");
        Assert.DoesNotContain(found, line => line.StartsWith("Critical", StringComparison.Ordinal));
        Assert.True(found.Count <= 3, string.Join("\n", found));
    }
}
