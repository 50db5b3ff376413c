using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Effects;

/// <summary>
/// The effect ledger of a shard's tasks: an intent before the outside world is touched, an outcome after, and a person's
/// word where an attempt was lost in between. What was sent once is never sent again from here.
/// </summary>
internal sealed class EffectDesk(GoalDecisions decisions, KernelLimits limits)
{
    public Answer<TaskState> Intend(Goal goal, TaskNode task, string what)
    {
        if (task.State != TaskState.Running)
            return Late(task);
        switch (task.Spec.Extras.Effect)
        {
            case { State: EffectState.Sent } sent when !Mutants.EffectResent:
                return new Refusal(RefusalKind.Conflict, $"The effect of {task.Spec.Name} took place in attempt {sent.Attempt}. It is not made again; its output is in the assignment.");
            // Said twice by the same attempt, which is delivered at least once.
            case { State: EffectState.Intended } intended when intended.Attempt == task.Attempt && !Mutants.IntentRepeated:
                return task.State;
            // An intent that was delivered late begins nothing: nobody would ever say how it went.
            case { State: EffectState.NotSent } settled when settled.Attempt == task.Attempt:
                return new Refusal(RefusalKind.Conflict, $"Attempt {task.Attempt} of {task.Spec.Name} has already said that its effect was {Word(settled.State)}. Fail it, and the next attempt may act.");
        }
        decisions.Intend(goal, task, what);
        return task.State;
    }

    public Answer<TaskState> Settle(Goal goal, TaskNode task, EffectState outcome, ReadOnlyMemory<byte> output)
    {
        if (task.State != TaskState.Running)
            return Late(task);
        if (Check(outcome, output, task) is { } refusal)
            return refusal;
        var effect = task.Spec.Extras.Effect;
        if (effect is null || effect.Attempt != task.Attempt)
            return new Refusal(RefusalKind.Conflict, $"Attempt {task.Attempt} of {task.Spec.Name} has not said that it would act on the outside world; the intent comes first.");
        if (effect.State == EffectState.Intended)
            decisions.Settle(goal, task, outcome, output);
        else if (effect.State != outcome)
            return new Refusal(RefusalKind.Conflict, $"Attempt {task.Attempt} of {task.Spec.Name} has already said that its effect was {Word(effect.State)}.");
        return task.State;
    }

    public Answer<TaskRow> Resolve(Goal goal, TaskNode task, ShardRequest.ResolveEffect resolve)
    {
        if (Check(resolve.Outcome, resolve.Output, task) is { } refusal)
            return refusal;
        if (task.Spec.Extras.Effect is not { } effect)
            return new Refusal(RefusalKind.Conflict, $"Task {task.Spec.Name} has not acted on the outside world; there is nothing to resolve.");
        if (task is { State: TaskState.Pending, AwaitsResolution: true })
        {
            decisions.Resolve(goal, task, resolve.Outcome, resolve.Output, resolve.Caller.Principal);
            return goal.ToRow(task);
        }
        return effect.By is not null && effect.State == resolve.Outcome
            ? goal.ToRow(task)
            : new Refusal(RefusalKind.Conflict, $"The effect of {task.Spec.Name} is {Word(effect.State)} and its task {task.State.ToString().ToLowerInvariant()}; only an unknown effect of a waiting task is resolved.");
    }

    private Refusal? Check(EffectState outcome, ReadOnlyMemory<byte> output, TaskNode task) =>
        outcome is not (EffectState.Sent or EffectState.NotSent) ? new Refusal(RefusalKind.Invalid, "An effect was sent or it was not; there is no third outcome to report.")
        : outcome == EffectState.NotSent && output.Length > 0 ? new Refusal(RefusalKind.Invalid, "What was not sent has no output.")
        : output.Length > limits.PayloadBytesMax ? new Refusal(RefusalKind.Invalid, $"The output of the effect of {task.Spec.Name} has {output.Length} bytes; {limits.PayloadBytesMax} is the limit.")
        : null;

    private static Refusal Late(TaskNode task) => new(RefusalKind.Late, $"The attempt is over: {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}.");

    private static string Word(EffectState state) => state switch
    {
        EffectState.Intended => "under way",
        EffectState.Sent => "sent",
        EffectState.NotSent => "not sent",
        _ => "unknown",
    };
}
