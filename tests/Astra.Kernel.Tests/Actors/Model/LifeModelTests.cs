using Astra.Kernel.Actors;
using Astra.Testing.Time;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Actors.Model;

/// <summary>The runtime against a model of it, over random stories, and a failing story told as short as possible.</summary>
public class LifeModelTests
{
    private const int StoryCount = 1_000;

    [Fact]
    public void Every_story_leaves_the_actors_as_the_model_says_after_each_of_its_steps() =>
        Prop.ForAll(LifeStory.Stories, story => new Telling(story).Tell())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(StoryCount).WithEndSize(60));

    [Fact]
    public void The_table_is_the_model_of_one_life()
    {
        foreach (var state in Enum.GetValues<ActorState>())
        {
            foreach (var command in Enum.GetValues<LifeCommand>())
                Assert.Equal((state, command, Rule(state, command)), (state, command, LifeCycle.Answer(state, command)));
        }
    }

    // The same law in words: what each command is for, and what it finds.
    private static LifeAnswer Rule(ActorState state, LifeCommand command)
    {
        bool isOver = state is ActorState.Stopping or ActorState.Stopped;
        bool hasIncarnation = state is ActorState.Starting or ActorState.Running or ActorState.Suspended;
        return command switch
        {
            LifeCommand.Start when state == ActorState.Halted => LifeAnswer.Starting,
            LifeCommand.Start when state is ActorState.Starting or ActorState.Running => LifeAnswer.same,
            LifeCommand.Started when state == ActorState.Starting => LifeAnswer.Running,
            LifeCommand.Started when state == ActorState.Running => LifeAnswer.same,
            LifeCommand.Fail when state == ActorState.Suspended => LifeAnswer.same,
            LifeCommand.Fail when hasIncarnation => LifeAnswer.Suspended,
            LifeCommand.Resume when state == ActorState.Suspended => LifeAnswer.Running,
            LifeCommand.Resume when state == ActorState.Running => LifeAnswer.same,
            LifeCommand.Restart when hasIncarnation => LifeAnswer.Halting,
            LifeCommand.Restart when !isOver => LifeAnswer.same,
            LifeCommand.Stop => isOver ? LifeAnswer.same : LifeAnswer.Stopping,
            LifeCommand.Emptied when state == ActorState.Halting => LifeAnswer.Halted,
            LifeCommand.Emptied when state == ActorState.Stopping => LifeAnswer.Stopped,
            LifeCommand.Emptied => LifeAnswer.never,
            LifeCommand.Abandon => state == ActorState.Stopped ? LifeAnswer.same : LifeAnswer.Stopped,
            _ => LifeAnswer.late,
        };
    }

    private sealed class Telling
    {
        private readonly LifeStory _story;
        private readonly LifeModel _model;
        private readonly VirtualDispatcher _node;
        private readonly ActorSystem _system;
        private readonly ActorRef _watcher;
        private readonly ActorRef?[] _places = new ActorRef?[LifeStory.PlaceCount];
        private readonly List<TaskCompletionSource>[] _gates;
        private readonly bool[] _nextStartFails = new bool[LifeStory.PlaceCount];
        private readonly Dictionary<ActorRef, int> _farewells = [];
        private readonly HashSet<ActorRef> _watched = [];
        private readonly List<string> _log = [];
        private int _nodeFailureCount;
        private int _sentCount;

        public Telling(LifeStory story)
        {
            _story = story;
            _model = new LifeModel(story.Rules);
            _gates = [.. _places.Select(_ => new List<TaskCompletionSource>())];
            var dice = new SeededRandomness(story.Schedule);
            _node = new VirtualDispatcher(story.Schedule == 0 ? null : dice);
            _system = new ActorSystem(_node, _node.Clock, new SeededRandomness(1), new ActorSystemOptions
            {
                TopLevel = story.Rules.TopLevel,
                Observe = happened => _nodeFailureCount += happened is NodeFailed ? 1 : 0,
            });
            _watcher = _system.Spawn(ActorWorld.Script("watcher", (message, turn) =>
            {
                if (message is Terminated gone)
                    _farewells[gone.Actor] = _farewells.GetValueOrDefault(gone.Actor) + 1;
                else
                    turn.Watch((ActorRef)message);
                return default;
            }));
            _node.RunUntilQuiet();
        }

        public void Tell()
        {
            for (int i = 0; i < _story.Steps.Length; i++)
            {
                if (!_model.IsDetermined(_story.Steps[i]))
                    continue;
                Do(_story.Steps[i]);
                Compare($"after step {i}, {_story.Steps[i]}");
            }

            LetEverythingEnd();
        }

        private void Do(LifeStep step)
        {
            int place = step.Place;
            switch (step.Verb)
            {
                case Verb.Spawn:
                    _model.Spawn(place);
                    if (LifeStory.ParentOf[place] < 0)
                        Birth(place, _system.Spawn);
                    else
                        _places[LifeStory.ParentOf[place]]?.TrySend(new ModelMessage(Verb.Spawn, place, ""));
                    break;
                case Verb.Send or Verb.Fail or Verb.FailStructurally or Verb.Hold:
                    var message = new ModelMessage(step.Verb, place, $"message {_sentCount++}");
                    _model.Send(place, message);
                    _places[place]?.TrySend(message);
                    break;
                case Verb.Release:
                    _model.Release(place);
                    Release(place);
                    break;
                case Verb.Stop:
                    _model.Stop(place);
                    if (_places[place] is { } actor)
                        _system.Stop(actor);
                    break;
                case Verb.NextStartFails:
                    _model.NextStartFails(place);
                    _nextStartFails[place] = true;
                    break;
                case Verb.Watch when _places[place] is { } watched && _watched.Add(watched):
                    _watcher.TrySend(watched);
                    break;
                case Verb.WaitHalfABackoff or Verb.WaitTwoBackoffs:
                    var duration = LifeRules.Backoff * (step.Verb == Verb.WaitHalfABackoff ? 0.5 : 2);
                    _node.Advance(duration);
                    _model.Advance(duration);
                    break;
            }

            _node.RunUntilQuiet();
        }

        private void Release(int place)
        {
            foreach (var gate in _gates[place])
                gate.SetResult();
            _gates[place].Clear();
        }

        private void Birth(int place, Func<ActorOptions, ActorRef> spawn)
        {
            try
            {
                _places[place] = spawn(Options(place));
            }
            catch (ActorNameTakenException)
            {
                _log.Add($"{place} is taken");
            }
        }

        private ActorOptions Options(int place) => ActorWorld.Script(
            $"p{place}", (message, turn) => Handle(place, (ModelMessage)message, turn), started: turn =>
            {
                if (_nextStartFails[place])
                {
                    _nextStartFails[place] = false;
                    throw new InvalidOperationException("cannot start");
                }

                _log.Add($"{place}.{turn.Incarnation} starts");
                return default;
            }, children: _story.Rules.Inner) with
        { StopDeadline = TimeSpan.FromDays(365) };

        private async ValueTask Handle(int place, ModelMessage message, ActorTurn turn)
        {
            switch (message.Verb)
            {
                case Verb.Spawn:
                    Birth(message.Place, turn.Spawn);
                    break;
                case Verb.Hold:
                    var gate = new TaskCompletionSource();
                    _gates[place].Add(gate);
                    await gate.Task;
                    if (!turn.IsRevoked)
                        _log.Add($"{place}.{turn.Incarnation} let go");
                    break;
                case Verb.Send:
                    _log.Add($"{place}.{turn.Incarnation} {message.Text}");
                    break;
                case Verb.Fail:
                    throw new InvalidOperationException("ordinary");
                default:
                    throw new StructuralFailureException("structural");
            }
        }

        private void Compare(string when)
        {
            var seen = new Dictionary<string, ActorSnapshot>();
            Collect(_system.Inspect());
            for (int place = 0; place < LifeStory.PlaceCount; place++)
            {
                var expected = _model.Places[place] is { State: not ActorState.Stopped } living
                    ? (living.State, living.Mailbox.Count, living.Incarnation)
                    : (ActorState.Stopped, 0, 0);
                var actual = seen.TryGetValue($"p{place}", out var snapshot)
                    ? (snapshot.State, snapshot.MailboxDepth, snapshot.RestartCount + 1)
                    : (ActorState.Stopped, 0, 0);
                Assert.True(expected == actual, $"{when}: place {place} should be {expected} and is {actual}.");
            }

            // Members of a group start in any order, so lines are compared as a set; each names its place and life.
            Assert.Equal(_model.Log.Order(StringComparer.Ordinal), _log.Order(StringComparer.Ordinal));
            for (int place = 0; place < LifeStory.PlaceCount; place++)
                Assert.Equal(Of(_model.Log, place), Of(_log, place));
            Assert.Equal(
                (_model.DeadLetterCount, _model.LostHandlerCount, _model.NodeFailureCount),
                ((int)_system.DeadLetters.Count, (int)_system.LostHandlerCount, _nodeFailureCount));
            foreach (var watched in _watched)
            {
                bool isGone = !seen.ContainsKey(watched.Path[(watched.Path.LastIndexOf('/') + 1)..])
                    || !_places.Contains(watched);
                Assert.Equal(isGone ? 1 : 0, _farewells.GetValueOrDefault(watched));
            }

            void Collect(ActorSnapshot at)
            {
                foreach (var child in at.Children)
                {
                    seen.Add(child.Path[(child.Path.LastIndexOf('/') + 1)..], child);
                    Collect(child);
                }
            }
        }

        private static IEnumerable<string> Of(List<string> log, int place) =>
            log.Where(line => line.StartsWith($"{place}.", StringComparison.Ordinal));

        private void LetEverythingEnd()
        {
            var stop = _system.StopAsync(TimeSpan.FromMinutes(1)).AsTask();
            _node.RunUntilQuiet();
            for (int place = 0; place < LifeStory.PlaceCount; place++)
                Release(place);
            _node.RunUntilQuiet();
            Assert.True(stop.IsCompleted);
            Assert.Empty(stop.Result.Abandoned);
            Assert.Equal(0, _system.LostHandlerCount);
        }
    }
}
