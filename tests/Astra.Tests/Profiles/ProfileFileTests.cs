using Astra.Agents;
using Astra.Sdk;
using Astra.Tests.Structure;
using Astra.Tools.Catalog;

namespace Astra.Tests.Profiles;

public sealed class ProfileFileTests
{
    private static readonly ToolCatalog Catalog = new ToolCatalog().Add(ShellForm.Definition, new ShellForm());

    private const string Whole = """
        name: writer
        description: Writes.
        model: premium
        prompt: |
          You write.
          Briefly.
        documents:
          - name: style
            text: Short words.
          - file: guide.md
        tools: [shell@1]
        planner: model
        repairs: 3
        limits:
          steps: 5
          tokens: 1000
          dollars: 0.25
        """;

    [Fact]
    public void A_profile_says_everything_that_an_agent_without_code_has()
    {
        var profile = ProfileFile.Parse(Whole, file => $"the text of {file}");
        Assert.Equal(("writer", "Writes.", "premium", "You write.\nBriefly.", ProfilePlanner.Model, 3), (profile.Name, profile.Description, profile.Model, profile.Prompt.TrimEnd(), profile.Planner, profile.Repairs));
        Assert.Equal([new ProfileDocument("style", "Short words."), new ProfileDocument("guide.md", "the text of guide.md")], profile.Documents);
        Assert.Equal(["shell@1"], profile.Tools);
        Assert.Equal(new ProfileLimits { Steps = 5, Tokens = 1000, Dollars = 0.25m }, profile.Limits);
        Assert.Null(ProfileRules.Problem(profile, Catalog));
    }

    [Fact]
    public void A_profile_may_be_JSON_and_needs_only_a_name_and_a_prompt()
    {
        var profile = ProfileFile.Parse("""{"name": "a", "prompt": "p"}""", _ => throw new IOException());
        Assert.Equal(("auto", ProfilePlanner.None, 2, new ProfileLimits()), (profile.Model, profile.Planner, profile.Repairs, profile.Limits));
    }

    [Theory]
    [InlineData("prompt: p", "Line 1: A profile needs 'name'.")]
    [InlineData("name: a", "Line 1: A profile needs 'prompt'.")]
    [InlineData("name: a\nprompt: p\ncolour: red", "Line 3: A profile has no 'colour'")]
    [InlineData("name: a\nprompt: p\ntools: shell", "Line 3: 'tools' is a list.")]
    [InlineData("name: a\nprompt: p\nplanner: me", "Line 3: 'planner' is none or model.")]
    [InlineData("name: a\nprompt: p\nlimits:\n  steps: none", "Line 4: 'steps' is a number from 1 to 1000.")]
    [InlineData("name: a\nprompt: p\ndocuments:\n  - file: x\n    text: y", "Line 4: A document is a 'text' or a 'file', not both.")]
    [InlineData("name: a\nprompt: p\ndocuments:\n  - file: gone.md", "Line 4: The document gone.md cannot be read: not there")]
    [InlineData("- a", "Line 1: A profile is a mapping")]
    public void A_wrong_file_is_one_sentence_with_its_line(string yaml, string sentence) =>
        Assert.StartsWith(sentence, Assert.Throws<PlanFileException>(() => ProfileFile.Parse(yaml, _ => throw new IOException("not there"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Each_fault_of_a_profile_is_one_sentence()
    {
        var good = new AgentProfile { Name = "a", Prompt = "p" };
        void Check(AgentProfile profile, string sentence) => Assert.Contains(sentence, ProfileRules.Problem(profile, Catalog), StringComparison.Ordinal);
        Assert.Null(ProfileRules.Problem(good, Catalog));
        Check(good with { Name = "Not A Name" }, "`name` is lower-case letters");
        Check(good with { Prompt = " " }, "has a `prompt`");
        Check(good with { Model = "" }, "`model` is");
        Check(good with { Description = "a\nb" }, "`description` is one line");
        Check(good with { Tools = ["axe"] }, "There is no tool 'axe' here; there is shell@1.");
        Check(good with { Tools = ["shell", "shell@1"] }, "The tool shell@1 is named twice");
        Check(good with { Documents = [new("d", "1"), new("d", "2")] }, "two documents named 'd'");
        Check(good with { Documents = [new("", "1")] }, "A document has a name");
        Check(good with { Limits = new() { Steps = 0 } }, "`limits.steps`");
        Check(good with { Limits = new() { Tokens = 0 } }, "`limits.tokens`");
        Check(good with { Limits = new() { Dollars = 0 } }, "`limits.dollars`");
        Check(good with { Repairs = 11 }, "`repairs`");
        Check(good with { Documents = [new("d", new string('x', ProfileRules.BytesMax))] }, "at most 128 KiB");
    }

    [Fact]
    public void Every_profile_among_the_examples_is_one_that_a_server_takes()
    {
        var files = Directory.GetFiles(Path.Combine(Repository.Root, "examples", "profiles"));
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Null(ProfileRules.Problem(ProfileFile.Parse(File.ReadAllText(file), File.ReadAllText), Catalog)));
    }
}
