using System.Runtime.CompilerServices;
using Astra.Tools.Sandboxes;
using Cages = Astra.Tools.Sandboxes.Sandboxes;

namespace Astra.Tests.Sandboxes;

/// <summary>What this executable does instead of running tests when one of its tests starts it again.</summary>
internal static class SelfTest
{
    public const string Hello = "sandbox-self-test-hello";
    public const string ServerThatHangs = "sandbox-self-test-server";

    [ModuleInitializer]
    internal static void Initialize()
    {
        var arguments = Environment.GetCommandLineArgs();
        if (arguments.Length < 2) return;
        switch (arguments[1])
        {
            case LandlockLauncher.Verb:
                Environment.Exit(LandlockLauncher.Run(arguments[1..]));
                break;
            case Hello:
                Console.WriteLine($"hello from .NET, {Console.In.ReadToEnd()}");
                Environment.Exit(0);
                break;
            case ServerThatHangs:
                Serve(arguments[2]);
                Environment.Exit(0);
                break;
        }
    }

    // A server with a tool that sleeps, for being killed in the middle of it. Blocking, because other threads
    // cannot enter this assembly before its initializer is through.
    private static void Serve(string marker)
    {
        var sandbox = Cages.Open(Cages.ProbeAsync(SandboxTier.Process).AsTask().GetAwaiter().GetResult());
        var spec = new SandboxSpec { Program = "/bin/sh", Arguments = ["-c", "sleep 600; true", marker] };
        sandbox.RunAsync(spec, CancellationToken.None).AsTask().GetAwaiter().GetResult();
    }
}
