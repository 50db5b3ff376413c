using System.Text.Json;
using Astra.Sdk;

namespace Astra.Tests.Agents;

public sealed class MethodToolTests
{
    private static readonly MethodTool Add = MethodTool.From("add", "Adds.", (int left, int right = 10) => left + right);

    [Fact]
    public void The_schema_of_a_method_is_that_of_its_parameters()
    {
        var schema = Add.InputSchema;
        Assert.Equal("object", schema.GetProperty("type").GetString());
        Assert.Equal(["left", "right"], schema.GetProperty("properties").EnumerateObject().Select(property => property.Name));
        Assert.Equal(["left"], schema.GetProperty("required").EnumerateArray().Select(name => name.GetString()));
    }

    [Fact]
    public async Task A_method_is_called_with_its_parameters_by_name_and_defaults_for_the_rest() =>
        Assert.Equal(12, (await InvokeAsync(Add, new { left = 2 })).GetInt32());

    [Theory]
    [InlineData("""{"right":1}""", "needs its parameter 'left'")]
    [InlineData("""{"left":1,"middle":2}""", "no parameter 'middle'")]
    [InlineData("""{"left":"one"}""", "'left'")]
    [InlineData("[1]", "object")]
    public async Task Input_that_is_not_of_the_schema_is_refused_with_one_sentence(string input, string mentions)
    {
        var refusal = await Assert.ThrowsAsync<ToolRefusedException>(async () => await Add.InvokeAsync(JsonElement.Parse(input), Ct));
        Assert.Contains(mentions, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_method_may_be_asynchronous_and_take_the_cancellation_of_its_turn()
    {
        var slow = MethodTool.From("slow", "", async (string word, CancellationToken token) =>
        {
            await Task.Yield();
            return new { word, cancellable = token.CanBeCanceled };
        });
        using var ending = new CancellationTokenSource();
        var answer = await slow.InvokeAsync(AstraJson.ToElement(new { word = "hi" }), ending.Token);
        Assert.Equal("hi", answer.GetProperty("word").GetString());
        Assert.True(answer.GetProperty("cancellable").GetBoolean());

        var nothing = MethodTool.From("nothing", "", () => Task.CompletedTask);
        Assert.Equal(JsonValueKind.Null, (await nothing.InvokeAsync(default, Ct)).ValueKind);
    }

    [Fact]
    public async Task What_a_method_throws_is_what_its_caller_sees()
    {
        var broken = MethodTool.From("broken", "", int () => throw new PermanentFailureException("It broke."));
        Assert.Equal("It broke.", (await Assert.ThrowsAsync<PermanentFailureException>(async () => await InvokeAsync(broken, new { }))).Message);
    }

    private static ValueTask<JsonElement> InvokeAsync(MethodTool tool, object input) => tool.InvokeAsync(AstraJson.ToElement(input), Ct);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;
}
