using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class TaskTransitionsTests
{
    // Written out a second time on purpose: a cell that changes has to change here too, with somebody looking.
    [Theory]
    [InlineData(TaskState.Pending, "Ready same Cancelled late late late late late late Cancelled same Completed Dead")]
    [InlineData(TaskState.Ready, "same Pending never Running late late late late late Cancelled same late Dead")]
    [InlineData(TaskState.Running, "same never never late Completed Ready Dead Ready Pending Cancelled late late Dead")]
    [InlineData(TaskState.Completed, "late late never late same late late late late late late same late")]
    [InlineData(TaskState.Cancelled, "late late same late late late late late late same Pending late late")]
    [InlineData(TaskState.Dead, "late late never late late late same late late Cancelled Pending late late")]
    public void Every_state_answers_every_command(TaskState state, string expected) =>
        Assert.Equal(expected, string.Join(' ', Enum.GetValues<TaskCommand>().Select(command => Describe(TaskTransitions.Of(state, command)))));

    [Fact]
    public void The_moves_are_the_cells_that_name_a_state()
    {
        var cells = from state in Enum.GetValues<TaskState>()
                    from command in Enum.GetValues<TaskCommand>()
                    where TaskTransitions.Of(state, command).IsMove
                    select (state, command, TaskTransitions.Of(state, command).To!.Value);
        Assert.Equal(cells, TaskTransitions.Moves);
        Assert.Equal(19, TaskTransitions.Moves.Count());
    }

    [Fact]
    public void Nothing_leaves_Completed() => Assert.DoesNotContain(TaskTransitions.Moves, move => move.From == TaskState.Completed);

    [Fact]
    public void Only_a_person_brings_back_what_has_ended() =>
        Assert.All(TaskTransitions.Moves.Where(move => move.From.IsFinal() && !move.To.IsFinal()), move => Assert.Equal(TaskCommand.Redrive, move.Command));

    [Fact]
    public void Only_a_claim_starts_an_attempt() =>
        Assert.All(TaskTransitions.Moves.Where(move => move.To == TaskState.Running), move => Assert.Equal((TaskState.Ready, TaskCommand.Claim), (move.From, move.Command)));

    [Fact]
    public void Every_command_moves_something() =>
        Assert.All(Enum.GetValues<TaskCommand>(), command => Assert.Contains(TaskTransitions.Moves, move => move.Command == command));

    [Fact]
    public void Every_state_is_reached_by_a_move() =>
        Assert.All(Enum.GetValues<TaskState>(), state => Assert.Contains(TaskTransitions.Moves, move => move.To == state));

    private static string Describe(Transition transition) =>
        transition.To?.ToString() ?? transition.No.ToString().ToLowerInvariant();
}
