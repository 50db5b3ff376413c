using System.Globalization;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>Actors as a person reads them.</summary>
public static class ActorViews
{
    public static void WriteTree(Terminal terminal, ActorView root)
    {
        var rows = new List<IReadOnlyList<string>>();
        Add(rows, root, root.Path, "", "");
        Tables.Write(terminal, ["Actor", "State", "Mailbox", "Handled", "Restarts", "Busy for", "Last failure"], rows, "");
    }

    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    private static void Add(List<IReadOnlyList<string>> rows, ActorView actor, string name, string indent, string branch)
    {
        rows.Add(
        [
            indent + branch + name, actor.State, $"{Count(actor.MailboxDepth)}/{Count(actor.MailboxCapacity)}", Count(actor.Processed), Count(actor.Restarts),
            actor.MessageAgeSeconds is { } age ? $"{age:0.0} s" : "", actor.LastFailure ?? "",
        ]);
        var inner = branch.Length == 0 ? indent : indent + (branch == Last ? "   " : "│  ");
        for (var i = 0; i < actor.Children.Count; i++)
        {
            var child = actor.Children[i];
            var isLast = i == actor.Children.Count - 1 && actor.Unlisted is null;
            Add(rows, child, child.Path[(child.Path.LastIndexOf('/') + 1)..], inner, isLast ? Last : More);
        }
        if (actor.Unlisted is not { } rest)
            return;
        var words = actor.Children.Count == 0 ? $"… {Count(rest.Actors)} below" : $"… and {Count(rest.Actors)} more";
        rows.Add([inner + Last + words, rest.NotRunning == 0 ? "running" : $"{Count(rest.NotRunning)} not running", Count(rest.MailboxDepth), Count(rest.Processed), Count(rest.Restarts), "", ""]);
    }

    private const string More = "├─ ";
    private const string Last = "└─ ";
}
