using System.Globalization;
using System.Text;

namespace Astra.Simulation;

/// <summary>
/// One thing that a world may have, by the word for it on the command line. A world is shrunk by leaving out one after the
/// other, and made again by naming what was left out.
/// </summary>
/// <param name="Describe">What a world has of it, or null when it has none.</param>
internal sealed record Ingredient(string Word, Func<SimulationOptions, string?> Describe, Func<SimulationOptions, SimulationOptions> Without)
{
    public static IReadOnlyList<Ingredient> All { get; } =
    [
        new("store-latency", o => Time(o.Store.LatencyMax), o => o with { Store = o.Store with { LatencyMax = TimeSpan.Zero } }),
        new("store-errors", o => Share(o.Store.ErrorShare), o => o with { Store = o.Store with { ErrorShare = 0 } }),
        new("lost-replies", o => Share(o.Store.LostReplyShare), o => o with { Store = o.Store with { LostReplyShare = 0 } }),
        new("deadly-calls", o => Share(o.Store.CrashShare), o => o with { Store = o.Store with { CrashShare = 0 } }),
        new("outages", o => Every(o.Nodes.OutageEvery), o => o with { Nodes = o.Nodes with { OutageEvery = null } }),
        new("bus-latency", o => Time(o.Bus.LatencyMax), o => o with { Bus = o.Bus with { LatencyMax = TimeSpan.Zero } }),
        new("loss", o => Share(o.Bus.LossShare), o => o with { Bus = o.Bus with { LossShare = 0 } }),
        new("lost-answers", o => Share(o.Bus.LostAnswerShare), o => o with { Bus = o.Bus with { LostAnswerShare = 0 } }),
        new("refusals", o => Share(o.Bus.RefusalShare), o => o with { Bus = o.Bus with { RefusalShare = 0 } }),
        new("duplicates", o => Share(o.Bus.TwiceShare), o => o with { Bus = o.Bus with { TwiceShare = 0 } }),
        new("deadly-questions", o => Share(o.Bus.CrashShare), o => o with { Bus = o.Bus with { CrashShare = 0 } }),
        new("crashes", o => Every(o.Nodes.CrashEvery), o => o with { Nodes = o.Nodes with { CrashEvery = null } }),
        new("pauses", o => Every(o.Nodes.PauseEvery), o => o with { Nodes = o.Nodes with { PauseEvery = null } }),
        new("clean-stops", o => Every(o.Nodes.CleanStopEvery), o => o with { Nodes = o.Nodes with { CleanStopEvery = null } }),
        new("clock-jumps", o => Every(o.Nodes.ClockJumpEvery), o => o with { Nodes = o.Nodes with { ClockJumpEvery = null } }),
        new("clock-skew", o => Time(o.Nodes.ClockSkewMax), o => o with { Nodes = o.Nodes with { ClockSkewMax = TimeSpan.Zero } }),
        new("full-mailboxes", o => o.MailboxMax is { } max ? Number(max) : null, o => o with { MailboxMax = null }),
        new("failures", o => Share(o.Workers.TransientShare), o => o with { Workers = o.Workers with { TransientShare = 0 } }),
        new("hopeless-failures", o => Share(o.Workers.PermanentShare), o => o with { Workers = o.Workers with { PermanentShare = 0 } }),
        new("vanishing-workers", o => Share(o.Workers.VanishShare), o => o with { Workers = o.Workers with { VanishShare = 0 } }),
        new("late-workers", o => Share(o.Workers.LateShare), o => o with { Workers = o.Workers with { LateShare = 0 } }),
        new("repeating-workers", o => Share(o.Workers.TwiceShare), o => o with { Workers = o.Workers with { TwiceShare = 0 } }),
        new("disconnects", o => Share(o.Workers.DisconnectShare), o => o with { Workers = o.Workers with { DisconnectShare = 0 } }),
        new("releases", o => Share(o.Workers.ReleaseShare), o => o with { Workers = o.Workers with { ReleaseShare = 0 } }),
        new("poison", o => Share(o.Workers.PoisonShare), o => o with { Workers = o.Workers with { PoisonShare = 0 } }),
        new("fan-out", o => Share(o.FanOutShare), o => o with { FanOutShare = 0 }),
        new("effects", o => Share(o.EffectShare), o => o with { EffectShare = 0 }),
        new("approvals", o => Share(o.ApprovalShare), o => o with { ApprovalShare = 0 }),
        new("relations", o => Share(o.RelatedShare), o => o with { RelatedShare = 0 }),
        new("edits", o => o.HasEdits ? "" : null, o => o with { HasEdits = false }),
        new("agents", o => o.HasAgents ? "" : null, o => o with { HasAgents = false }),
        new("schedules", o => o.HasSchedules ? "" : null, o => o with { HasSchedules = false }),
    ];

    public static Ingredient? Find(string word) => All.FirstOrDefault(one => one.Word == word);

    public bool IsIn(SimulationOptions options) => Describe(options) is not null;

    /// <summary>A world in words.</summary>
    public static string DescribeAll(SimulationOptions options, string indent)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{indent}{options.NodeCount} nodes, {options.ShardCount} shards, {options.ClientCount} clients, {options.WorkersPerNode} workers on each node, ");
        text.AppendLine(CultureInfo.InvariantCulture, $"{options.GoalCountMax} goals and {options.TaskCountMax} tasks in each at most, trouble for {options.FaultsDuration.TotalSeconds:0.0} s");
        var parts = All.Select(one => (one.Word, What: one.Describe(options))).Where(one => one.What is not null).Select(one => one.What is "" ? one.Word : $"{one.Word} {one.What}");
        text.Append(CultureInfo.InvariantCulture, $"{indent}with {string.Join(", ", parts)}");
        return text.ToString();
    }

    private static string? Share(double share) => share > 0 ? $"{Number(share * 100)} %" : null;

    private static string? Time(TimeSpan time) => time > TimeSpan.Zero ? $"up to {Number(time.TotalSeconds)} s" : null;

    private static string? Every(TimeSpan? every) => every is { } mean ? $"every {Number(mean.TotalSeconds)} s" : null;

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
