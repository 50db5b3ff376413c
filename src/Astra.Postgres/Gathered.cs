namespace Astra.Postgres;

/// <summary>
/// Many who ask the same kind of question at the same time are answered by one round trip. Whoever asks joins the round
/// that has not been sent yet, never one in flight: every answer was read after it was asked for, so this is no cache
/// and nothing in it can be stale.
/// </summary>
/// <param name="ask">All distinct questions of a round at once; what is not in the answer is not there.</param>
internal sealed class Gathered<TQuestion, TAnswer>(Func<IReadOnlyCollection<TQuestion>, Task<IReadOnlyDictionary<TQuestion, TAnswer>>> ask)
    where TQuestion : notnull
    where TAnswer : class
{
    private readonly Lock _gate = new();
    private Round _next = new();
    private bool _isRunning;

    public Task<TAnswer?> AskAsync(TQuestion question, CancellationToken cancellationToken)
    {
        Round joined;
        bool mustRun;
        lock (_gate)
        {
            joined = _next;
            joined.Questions.Add(question);
            mustRun = !_isRunning;
            _isRunning = true;
        }
        if (mustRun)
            _ = RunAsync();
        return AnswerAsync(joined, question, cancellationToken);
    }

    private static async Task<TAnswer?> AnswerAsync(Round joined, TQuestion question, CancellationToken cancellationToken)
    {
        var answers = await joined.Answers.Task.WaitAsync(cancellationToken);
        return answers.GetValueOrDefault(question);
    }

    private async Task RunAsync()
    {
        while (true)
        {
            Round round;
            lock (_gate)
            {
                round = _next;
                if (round.Questions.Count == 0)
                {
                    _isRunning = false;
                    return;
                }
                _next = new Round();
            }
            try
            {
                round.Answers.SetResult(await ask(round.Questions));
            }
            catch (Exception e)
            {
                // Every one of them is told. None may be watching any more, and that is no reason to end the process.
                round.Answers.SetException(e);
                _ = round.Answers.Task.Exception;
            }
        }
    }

    private sealed class Round
    {
        public HashSet<TQuestion> Questions { get; } = [];

        public TaskCompletionSource<IReadOnlyDictionary<TQuestion, TAnswer>> Answers { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
