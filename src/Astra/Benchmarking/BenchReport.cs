using System.Globalization;
using System.Runtime.InteropServices;
using Astra.Sdk;
using Spectre.Console;

namespace Astra.Benchmarking;

/// <summary>Figures as they come: one JSON object a line for programs, a table with the bars for people.</summary>
internal sealed class BenchReport(TextWriter output, bool json, string suite)
{
    private readonly Table _table = new Table().AddColumns("workload", "metric", "median", "min", "max", "unit", "must", "aim");

    public void Begin()
    {
        if (json)
            Line(new { suite, machine = new { os = RuntimeInformation.OSDescription, cores = Environment.ProcessorCount, runtime = RuntimeInformation.FrameworkDescription, memoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes } });
    }

    public void Add(Figure figure)
    {
        if (json)
        {
            Line(new { figure.Suite, figure.Workload, figure.Metric, figure.Unit, median = Round(figure.Median), min = Round(figure.Min), max = Round(figure.Max), runs = figure.Runs.Count });
            return;
        }
        var bar = Bar.Of(suite).FirstOrDefault(bar => bar.Workload == figure.Workload && bar.Metric == figure.Metric);
        _table.AddRow(figure.Workload, figure.Metric, Text(figure.Median), Text(figure.Min), Text(figure.Max), figure.Unit, Text(bar?.Must), Text(bar?.Aim));
    }

    public void Add(Skipped skipped)
    {
        if (json)
            Line(new { skipped.Suite, skipped.Workload, skipped = skipped.Reason });
        else
            _table.AddRow(skipped.Workload, "skipped", skipped.Reason, "", "", "", "", "");
    }

    public void End()
    {
        if (!json)
            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }).Write(_table);
    }

    private void Line(object value)
    {
        output.WriteLine(System.Text.Encoding.UTF8.GetString(AstraJson.Write(value)));
        output.Flush();
    }

    private static double Round(double value) => Math.Round(value, value >= 100 ? 0 : 3);

    private static string Text(double? value) => value is { } number ? number.ToString(number >= 100 ? "N0" : "0.##", CultureInfo.InvariantCulture) : "";
}
