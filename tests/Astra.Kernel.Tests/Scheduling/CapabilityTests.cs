using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class CapabilityTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_worker_is_chosen_only_if_it_has_all_that_a_task_requires()
    {
        var (plain, half, whole) = (Worker(), Worker("gpu"), Worker("os:linux", "gpu"));
        Submit("a", "gpu", "os:linux");
        Assert.Equal((0, 0, 1), (plain.Given.Count, half.Given.Count, whole.Given.Count));
    }

    [Fact]
    public void What_requires_more_does_not_stand_in_the_way_of_what_requires_less()
    {
        Submit("rare", "quantum");
        _world.Submit("common");
        Assert.Equal(["common"], Worker("gpu").Given);
    }

    [Fact]
    public void Requirements_survive_a_restart()
    {
        Submit("a", "gpu");
        _world.Node.Restart();
        Assert.Empty(Worker().Given);
        Assert.Equal(["a"], Worker("gpu").Given);
    }

    [Theory]
    [InlineData("two words", "'two' ", false)]
    [InlineData("", "", true)]
    [InlineData("semi;colon", "'semi;colon'", true)]
    public void What_cannot_be_a_capability_is_refused(string capability, string said, bool isRefused)
    {
        var answer = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { Requires = capability } })] }));
        Assert.Equal(isRefused, answer.Refusal?.Reason.Contains(said, StringComparison.Ordinal) ?? false);
    }

    [Fact]
    public void The_same_requirements_are_the_same_text_in_whichever_order_they_were_said()
    {
        Assert.Equal("gpu os:linux", Capabilities.Join(["os:linux", "gpu", "gpu"]));
        Assert.Null(Capabilities.Join([]));
        Assert.Equal(["gpu", "os:linux"], Capabilities.Split("gpu os:linux"));
    }

    private TestWorker Worker(params string[] capabilities) => _world.Node.Worker(8, null, false, capabilities, []);

    private void Submit(string name, params string[] requires) =>
        _world.Submit(name, spec => spec with { Extras = new TaskExtras { Requires = Capabilities.Join(requires) } });
}
