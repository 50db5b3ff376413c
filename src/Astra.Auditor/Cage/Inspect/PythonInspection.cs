namespace Astra.Auditor.Cage.Inspect;
internal static class PythonInspection { public static void Inspect(InspectRequest request, PackageReading reading) { } }
