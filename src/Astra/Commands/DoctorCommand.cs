using System.CommandLine;
using Astra.Display;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra doctor`: what this machine offers and lacks, each with what to do. Starts no server and changes nothing; the sandbox is found by using it.</summary>
public static class DoctorCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("doctor", "Check this machine: what Astra needs, what it would like, and what to do about it.") { json };
        command.WithExamples("doctor", "doctor --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            var hasDatabase = (parsed.GetValue(shared.Database) ?? surroundings.Environment("ASTRA_DATABASE")) is { Length: > 0 };
            var findings = await MachineChecks.AllAsync(access.Data, hasDatabase, surroundings.Environment, cancellationToken);
            await using (var server = await access.FindAsync(cancellationToken))
            {
                findings.Add(server is null
                    ? new("server", CheckOutcome.Fine, access.Data.IsLocked() ? "starting or stopping" : "not running")
                    : new("server", CheckOutcome.Fine, $"answers at {server.File.Address}, sandbox {server.Status.SandboxTier}"));
            }

            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, findings);
            else
                Write(surroundings.Terminal.Out, findings);
            return findings.Exists(finding => finding.Outcome is CheckOutcome.Bad) ? ExitCodes.Error : ExitCodes.Ok;
        });
        return command;
    }

    private static void Write(TextWriter output, List<CheckFinding> findings)
    {
        var width = findings.Max(finding => finding.Name.Length);
        foreach (var finding in findings)
        {
            var mark = finding.Outcome switch { CheckOutcome.Fine => "ok  ", CheckOutcome.Poor => "warn", _ => "BAD " };
            output.WriteLine($"{mark}  {finding.Name.PadRight(width)}  {finding.Says}");
            if (finding.WhatToDo is { } todo)
                output.WriteLine($"      {new string(' ', width)}  -> {todo}");
        }
    }
}
