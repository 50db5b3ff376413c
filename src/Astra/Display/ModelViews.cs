using System.Globalization;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>Models as a person reads them.</summary>
internal static class ModelViews
{
    public static void WriteList(Terminal terminal, ModelsView models)
    {
        Tables.Write(
            terminal,
            ["Model", "Tier", "Kind", "Where", "Runs on", "Keys"],
            from provider in models.Providers
            from model in provider.Models
            select (IReadOnlyList<string>)
            [
                $"{provider.Name}/{model.Id}", model.Tier.ToString().ToLowerInvariant(), provider.Kind.ToString().ToLowerInvariant(),
                provider.IsFound ? $"{provider.BaseUrl} (found)" : provider.BaseUrl, provider.InferenceBackend ?? "", string.Join(", ", provider.Keys),
            ],
            "No models; `model add` adds a provider, and a server on this machine is found by itself.");
        if (models.Routes.Count == 0)
            return;
        terminal.Out.WriteLine();
        Tables.Write(
            terminal,
            ["Route", "Leads to", "First", "Hedged"],
            models.Routes.Select(route => (IReadOnlyList<string>)[route.Name, string.Join(", ", route.Models), route.Balance.ToString().ToLowerInvariant(), route.Hedge ? "yes" : "no"]),
            "");
    }

    public static void WriteTrials(Terminal terminal, IReadOnlyList<ModelTestView> trials) => Tables.Write(
        terminal,
        ["Model", "Answers", "After", "What went wrong"],
        trials.Select(trial => (IReadOnlyList<string>)
            [trial.Model, trial.Ok ? "yes" : "no", trial.Milliseconds.ToString("N0", CultureInfo.InvariantCulture) + " ms", trial.Problem ?? ""]),
        "No models; `model add` adds a provider.");
}
