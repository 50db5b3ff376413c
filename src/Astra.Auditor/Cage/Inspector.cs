using System.Text.Json;
using Astra.Auditor.Cage.Inspect;

namespace Astra.Auditor.Cage;

/// <summary>The tool `audit-inspect`: reads one package and answers with findings. Runs inside the cage, where the mounted
/// package is all there is; a package that breaks it breaks one process.</summary>
public static class Inspector
{
    /// <summary>One JSON request in, one JSON answer out.</summary>
    public static int Main(Stream input, Stream output)
    {
        var request = JsonSerializer.Deserialize(input, CageJson.Default.InspectRequest)
            ?? throw new JsonException("The request is empty.");
        var answer = Inspect(request);
        JsonSerializer.Serialize(output, answer, CageJson.Default.InspectAnswer);
        return 0;
    }

    public static InspectAnswer Inspect(InspectRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var reading = new PackageReading();
        try
        {
            switch (request.Ecosystem)
            {
                case Ecosystem.NuGet:
                    NuGetInspection.Inspect(request, reading);
                    break;
                case Ecosystem.Npm:
                    NpmInspection.Inspect(request, reading);
                    break;
                case Ecosystem.Python:
                    PythonInspection.Inspect(request, reading);
                    break;
                default:
                    DpkgInspection.Inspect(request, reading);
                    break;
            }
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException or UnauthorizedAccessException or FormatException or ArgumentException)
        {
            // What was seen up to here still counts; the rest of the package is unknown and says so.
            reading.Observations.Add("archive-broken", "", $"Reading stopped: {failure.Message}");
        }
        return reading.Answer();
    }
}
