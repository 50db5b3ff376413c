namespace Astra.Auditor.Cage.Inspect;
internal static class NpmInspection { public static void Inspect(InspectRequest request, PackageReading reading) { } }
