namespace Astra.Llm.Money;

/// <summary>What a call was answered: the cells it is paid from, or why it is not.</summary>
internal readonly record struct LedgerAnswer(BudgetCell[] Cells, BudgetRefusal? Refusal);

/// <summary>A call that waits for the next round.</summary>
/// <param name="spender">Null only waits for a look at which budgets there are.</param>
internal sealed class WaitingCall(Spender? spender, long worstCase)
{
    public Spender? Spender => spender;
    public long WorstCase => worstCase;
    public BudgetCell[] Cells { get; set; } = [];
    public TaskCompletionSource<LedgerAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    public bool IsAnswered => Answer.Task.IsCompleted;

    /// <summary>Whoever has given up meanwhile has reserved nothing.</summary>
    public void Pay()
    {
        if (Answer.TrySetResult(new LedgerAnswer(Cells, null)))
            return;
        foreach (var cell in Cells)
            cell.Give(WorstCase);
    }

    public void Refuse(BudgetRefusal refusal) => Answer.TrySetResult(new LedgerAnswer([], refusal));
}
