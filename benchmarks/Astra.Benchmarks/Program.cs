using BenchmarkDotNet.Running;

// dotnet run -c Release --project benchmarks/Astra.Benchmarks -- --filter '*Tell*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
