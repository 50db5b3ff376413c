using System.Threading.Channels;
using Astra.Sdk;

namespace Astra.Tests.CommandLine;

public sealed partial class FakeServer
{
    /// <summary>A goal that the test moves, step by step.</summary>
    public sealed class Goal(FakeServer server, GoalSubmission submission, int number)
    {
        private readonly object _gate = new();
        private readonly List<EventView> _events = [];
        private readonly List<TaskView> _tasks = [];
        private readonly List<Channel<EventView>> _followers = [];
        private GoalState _state = GoalState.Active;
        private object? _result;
        private string? _reason;

        public Guid Id { get; } = Guid.CreateVersion7();
        public int Number => number;
        public GoalSubmission Submission => submission;

        public GoalView View
        {
            get
            {
                lock (_gate)
                {
                    return new GoalView
                    {
                        Id = Id, Agent = submission.Agent, Title = submission.Title ?? "untitled", State = _state, Priority = 0, Revision = 1,
                        LastSeq = _events.Count == 0 ? 0 : _events[^1].Seq, CreatedAt = DateTimeOffset.UnixEpoch,
                        Tasks = new(Count(TaskState.Pending), Count(TaskState.Ready), Count(TaskState.Running), Count(TaskState.Completed),
                            Count(TaskState.Cancelled), Count(TaskState.Dead)),
                        Parent = submission.Parent,
                        Result = _result is null ? null : AstraJson.ToElement(_result), Reason = _reason,
                    };
                }
            }
        }

        public PlanView Plan
        {
            get
            {
                lock (_gate)
                    return new PlanView(Id, 1, [.. _tasks]);
            }
        }

        public Goal Step(string name, TaskState state, string? reason = null)
        {
            lock (_gate)
            {
                var index = _tasks.FindIndex(task => task.Name == name);
                var before = index < 0 ? (TaskState?)null : _tasks[index].State;
                var task = index < 0
                    ? new TaskView
                    {
                        Id = Guid.CreateVersion7(), GoalId = Id, Name = name, Executor = "agent:auditor", Kind = "", State = state, Priority = 0, Attempt = 1,
                        AttemptCountMax = 3, After = [], CreatedAt = DateTimeOffset.UnixEpoch,
                    }
                    : _tasks[index];
                task = task with { State = state, Failure = reason is null ? null : new TaskFailure(FailureKind.Permanent, reason, "fingerprint") };
                if (index < 0)
                    _tasks.Add(task);
                else
                    _tasks[index] = task;
                Happened(new EventView
                {
                    Seq = server.NextSeq(), At = DateTimeOffset.UnixEpoch, Kind = "task." + state, GoalId = Id, TaskId = task.Id, Task = name,
                    From = before, To = state, Text = reason,
                });
            }

            return this;
        }

        /// <summary>A step becomes something else, as by an edit.</summary>
        public TaskView Change(Guid task, Func<TaskView, TaskView> change)
        {
            lock (_gate)
            {
                var index = _tasks.FindIndex(view => view.Id == task);
                return _tasks[index] = change(_tasks[index]);
            }
        }

        public Goal Complete(object? result = null) => End(GoalState.Completed, result);

        public Goal End(GoalState state, object? result = null, string? reason = null)
        {
            lock (_gate)
            {
                if (_state is not GoalState.Active)
                    return this;
                _state = state;
                _result = result;
                _reason = reason;
                Happened(new EventView { Seq = server.NextSeq(), At = DateTimeOffset.UnixEpoch, Kind = "goal." + state, GoalId = Id });
                foreach (var follower in _followers)
                    follower.Writer.Complete();
            }

            return this;
        }

        public IAsyncEnumerable<EventView> Events(CancellationToken cancellationToken)
        {
            var follower = Channel.CreateUnbounded<EventView>();
            lock (_gate)
            {
                foreach (var happened in _events)
                    follower.Writer.TryWrite(happened);
                if (_state is GoalState.Active)
                    _followers.Add(follower);
                else
                    follower.Writer.Complete();
            }

            server.Followed.TrySetResult(this);
            return follower.Reader.ReadAllAsync(cancellationToken);
        }

        private int Count(TaskState state) => _tasks.Count(task => task.State == state);

        private void Happened(EventView happened)
        {
            _events.Add(happened);
            foreach (var follower in _followers)
                follower.Writer.TryWrite(happened);
        }
    }
}
