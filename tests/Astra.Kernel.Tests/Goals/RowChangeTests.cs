using Astra.Kernel.Tasks;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class RowChangeTests
{
    // When this fails, a task's row shows something new. If it can change after the task was added, either the statement
    // that moves a task writes it (ProjectionSql.MoveTasks) or TaskNode.IsPlain says that a row which has it is not plain.
    [Fact]
    public void Whatever_a_row_shows_is_fixed_at_the_start_or_written_by_a_move_or_keeps_the_row_from_being_plain()
    {
        string[] fixedAtTheStart = ["Tenant", "Goal", "Id", "CreatedAt"];
        string[] reshapes = ["Spec", "After"];
        string[] moved = ["State", "Attempt", "StartedAt", "EndedAt", "Worker", "WorkerName", "WorkerProcess", "Output"];
        string[] notPlain = ["FailureCount", "ExpiryCount", "DueAt", "Failure", "Reason", "DoomedBy", "AwaitsApproval"];

        var shown = typeof(TaskRow).GetProperties().Select(property => property.Name);

        Assert.Equal(new[] { fixedAtTheStart, reshapes, moved, notPlain }.SelectMany(names => names).Order(StringComparer.Ordinal), shown.Order(StringComparer.Ordinal));
    }
}
