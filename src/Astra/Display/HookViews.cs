using Astra.Sdk;

namespace Astra.Display;

/// <summary>Hooks and their messages as a person reads them.</summary>
internal static class HookViews
{
    public static void WriteNew(TextWriter output, NewHook added) => Tables.WriteFacts(
        output, ("id", added.Hook.Id.ToString()), ("url", added.Hook.Url), ("told of", string.Join(", ", added.Hook.Kinds)), ("secret", added.Secret));

    public static void WriteList(Terminal terminal, IReadOnlyList<HookView> hooks) => Tables.Write(
        terminal,
        ["ID", "URL", "Told of", "Waiting", "Failed", "Delivered", "Next try", "What went wrong"],
        hooks.Select(hook => (IReadOnlyList<string>)
        [
            hook.Id.ToString(), hook.Url, string.Join(", ", hook.Kinds), hook.Waiting.ToString(), hook.Failed.ToString(),
            Words.At(hook.DeliveredAt), Words.At(hook.NextAt), hook.Problem ?? "",
        ]),
        "No hooks; `hook add URL` adds one.");

    public static void WriteDetail(Terminal terminal, HookDetail detail)
    {
        Tables.WriteFacts(
            terminal.Out, ("id", detail.Hook.Id.ToString()), ("url", detail.Hook.Url), ("told of", string.Join(", ", detail.Hook.Kinds)),
            ("added", $"{Words.At(detail.Hook.CreatedAt)} by {detail.Hook.CreatedBy}"));
        terminal.Out.WriteLine();
        Tables.Write(
            terminal,
            ["Message", "Kind", "Made", "Tries", "State", "Answer", "Next try", "What went wrong"],
            detail.Deliveries.Select(delivery => (IReadOnlyList<string>)
            [
                delivery.Message, delivery.Kind, Words.At(delivery.CreatedAt), delivery.Attempt.ToString(), delivery.State.ToString().ToLowerInvariant(),
                delivery.Status?.ToString() ?? "", Words.At(delivery.DueAt), delivery.Problem ?? "",
            ]),
            "No messages yet.");
    }
}
