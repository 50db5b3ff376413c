using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class LifeCycleTests
{
    private static readonly ActorState[] States = Enum.GetValues<ActorState>();
    private static readonly LifeCommand[] Commands = Enum.GetValues<LifeCommand>();

    [Fact]
    public void Every_state_answers_every_command()
    {
        foreach (var state in States)
        {
            foreach (var command in Commands)
                Assert.True(Enum.IsDefined(LifeCycle.Answer(state, command)), $"{state} has no answer to {command}");
        }
    }

    [Fact]
    public void Nothing_moves_a_stopped_actor() =>
        Assert.DoesNotContain(Commands, command => LifeCycle.IsMove(LifeCycle.Answer(ActorState.Stopped, command)));

    [Fact]
    public void A_stop_overtakes_everything_but_another_end()
    {
        foreach (var state in States.Except([ActorState.Stopping, ActorState.Stopped]))
            Assert.Equal(LifeAnswer.Stopping, LifeCycle.Answer(state, LifeCommand.Stop));
    }

    [Fact]
    public void A_stopping_actor_is_not_started_resumed_or_restarted() =>
        Assert.All([LifeCommand.Start, LifeCommand.Started, LifeCommand.Resume, LifeCommand.Restart, LifeCommand.Fail],
            command => Assert.Equal(LifeAnswer.late, LifeCycle.Answer(ActorState.Stopping, command)));

    [Fact]
    public void Every_state_can_be_reached_and_every_state_can_end()
    {
        Assert.Equal(States.Order(), Reachable(ActorState.Halted).Order());
        Assert.All(States, state => Assert.Contains(ActorState.Stopped, Reachable(state)));
    }

    private static HashSet<ActorState> Reachable(ActorState from)
    {
        var reached = new HashSet<ActorState> { from };
        var open = new Stack<ActorState>(reached);
        while (open.TryPop(out var state))
        {
            foreach (var answer in Commands.Select(command => LifeCycle.Answer(state, command)))
            {
                if (LifeCycle.IsMove(answer) && reached.Add((ActorState)answer))
                    open.Push((ActorState)answer);
            }
        }

        return reached;
    }
}
