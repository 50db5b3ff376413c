namespace Astra.Auditor.Cage.Inspect;
internal static class DpkgInspection { public static void Inspect(InspectRequest request, PackageReading reading) { } }
