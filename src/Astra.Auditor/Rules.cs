using System.Collections.Frozen;
using static Astra.Auditor.Severity;

namespace Astra.Auditor;

/// <param name="Explanation">Why it matters, or why it does not.</param>
/// <param name="WhatToDo">The next move of whoever reads the report.</param>
public sealed record Rule(string Id, Severity Severity, string Title, string Explanation, string WhatToDo);

/// <summary>
/// Every severity the auditor can give, and nothing else gives one. What is normal in an ecosystem (native code, a
/// `build/*.targets`, an install script that compiles) is information; what a package does by itself, unasked, with the
/// network or with secrets is not. A rule never looks at a package's name.
/// </summary>
public static class Rules
{
    private const string LookAtIt = "Read the quoted lines; if they are not what the package is for, remove or replace it.";
    private const string RemoveAndRotate =
        "Do not build or install with it. Remove it, find who brought it in (the chain), and renew every secret that was readable where it ran.";
    private const string FetchAgain = "Delete the local copy, fetch it again from the registry, audit again; if it still differs, stop using it and tell the maintainers.";
    private const string Nothing = "Nothing, unless it surprises you for this package.";
    private const string Repin = "Pin it, and let a bot move the pin.";

    private static readonly Rule[] Table =
    [
        // Bytes that are not the ones promised.
        new("hash-mismatch", Critical, "Bytes do not match the recorded hash", "A lock file or registry record promises one content and the disk holds another. Either was changed.", FetchAgain),
        new("installed-differs", Critical, "Extracted file differs from its archive", "Nothing legitimate edits the shared package folder after extraction; the archive's hash says nothing about a file that was swapped later.", FetchAgain),
        new("installed-edited", High, "Installed file differs from its record", "The installed file is not the one that was installed. Patch tools do this, and so does an intruder.", "Find out what edited it. Reinstall the package, or allow the finding with the patch as the reason."),
        new("installed-extra-code", High, "Code that the archive does not contain", "A file that can run lies in the package's folder but not in the package.", FetchAgain),
        new("installed-extra", Low, "File that the archive does not contain", "Something wrote into the package's folder after it was installed.", "Find out what wrote it."),
        new("installed-missing", Info, "File of the archive is not installed", "Installers leave out what they do not need.", Nothing),
        new("record-incomplete", Info, "Installed files without a recorded hash", "These files cannot be compared with anything.", Nothing),
        new("hash-not-checkable", Info, "No archive to compare with", "Only the installed form is on this machine, so the recorded hash of the archive cannot be recomputed.", "Keep the package cache, or verify when installing (npm ci, pip --require-hashes)."),
        new("no-integrity", Low, "Nothing pins its content", "No lock file records a hash, so a registry or a proxy may serve other bytes tomorrow.", "Record hashes: packages.lock.json, package-lock.json, --require-hashes."),
        new("weak-hash", Low, "Pinned by a hash that can be forged", "MD5 and SHA-1 collisions are practical.", "Regenerate the lock file with a current package manager."),
        new("signature-present", Info, "Carries a signature", "A signature says who published, not what it does: it is never evidence of harmlessness, and the certificate's chain is not judged here.", Nothing),
        new("signature-mismatch", High, "Signature does not cover this content", "The signed hash is not the hash of the archive.", FetchAgain),
        new("changed-same-version", High, "Content changed under the same version", "The previous audit saw other bytes for this very version. Published versions do not change.", FetchAgain),
        new("gained-ability", Medium, "Gained an ability since the last audited version", "A package that starts to run by itself, or to use the network or processes, is how a takeover looks from outside.", "Read the change between the versions before adopting it."),
        new("new-version", Info, "Another version than at the last audit", "Nothing gained abilities that the last audited version did not have.", Nothing),

        // Archives that attack whoever opens them.
        new("path-escape", Critical, "Entry leaves the package directory", "An absolute path, a drive letter or `..` makes an extractor write elsewhere.", "Do not extract it. Remove it and report it to the registry."),
        new("link-escape", Critical, "Link leads out of the package directory", "Extracting a link and then writing through it reaches any file of the user.", "Do not extract it. Remove it and report it to the registry."),
        new("archive-bomb", High, "Unpacks to far more than its size", "Made to exhaust disk or memory of whoever unpacks it.", "Do not extract it. Remove it and report it to the registry."),
        new("entries-overlap", High, "Entries share the same bytes", "Overlapping entries are how small bombs are built and how two readers see two contents.", "Do not extract it. Remove it and report it to the registry."),
        new("headers-disagree", High, "Archive tells two stories", "The directory and the entry itself disagree on name or size: one tool checks one content, another extracts the other.", "Do not extract it. Remove it and report it to the registry."),
        new("duplicate-entries", High, "Same path twice", "Which of the two is used depends on the tool that extracts.", LookAtIt),
        new("archive-broken", High, "Archive cannot be read to its end", "Truncated or damaged; what cannot be read was not inspected.", FetchAgain),
        new("entry-not-read", Medium, "Entry cannot be read", "Encrypted, or compressed in a way package managers do not use.", LookAtIt),
        new("not-looked-into", Info, "Too large to look into", "Hashed and compared, but its content was not analysed.", Nothing),
        new("archive-prefix", Medium, "Bytes before the archive begins", "A file that is two formats at once is read differently by different tools.", LookAtIt),
        new("name-deceives", High, "File name made to deceive", "Control characters, direction overrides or a second extension show a person another name than the machine uses.", LookAtIt),
        new("name-odd", Low, "File name that not every system can keep", "Names that differ only in case, reserved names, trailing dots: systems disagree on what they mean.", Nothing),
        new("not-inspected", High, "Could not be inspected", "The inspector did not come back with an answer. A package that breaks its inspector has not been audited.", "See the reason. Fetch it again, or redrive the step; do not treat it as audited."),

        // What runs without being called.
        new("install-script", Low, "Runs a script when installed", "Normal for packages that compile native code; also the commonest way in.", "Install with --ignore-scripts where you can."),
        new("developer-script", Info, "Script for its own developers", "Runs when its authors build it, not when it is installed from a registry.", Nothing),
        new("visual-studio-script", Info, "PowerShell script in tools", "Only old Visual Studio versions run it.", Nothing),
        new("maintainer-script", Info, "Maintainer script", "Debian packages configure themselves as root; this is normal.", Nothing),
        new("build-file", Info, "Takes part in the build", "MSBuild imports it into every project that references the package. Setting properties is normal.", Nothing),
        new("build-exec", Medium, "Runs a command during the build", "An Exec task runs with the rights and secrets of whoever builds.", LookAtIt),
        new("build-inline-task", Medium, "Compiles and runs code during the build", "The code of an inline task is in the targets file, and runs with the rights of whoever builds.", LookAtIt),
        new("build-task-assembly", Info, "Build task in an assembly", "A task of the package runs during the build; its references were inspected like all assemblies.", Nothing),
        new("build-download", High, "Downloads during the build", "What it downloads is neither pinned nor seen by this audit.", LookAtIt),
        new("build-file-malformed", Medium, "Build file is not well-formed", "The tool that reads it would stop at it, so it does not do what it seems to.", LookAtIt),
        new("path-file", Info, "Adds a directory to Python's path", "A .pth file without import lines.", Nothing),
        new("start-up-line", Medium, "Runs a line whenever Python starts", "A .pth line beginning with import is executed by every interpreter, whether or not the package is used.", LookAtIt),
        new("start-up-code", High, "Runs more than an import whenever Python starts", "A .pth line that executes text, starts processes or decodes data, in every interpreter, whether or not the package is used.", LookAtIt),
        new("start-up-module", High, "Module that every Python start imports", "sitecustomize and usercustomize belong to the machine's administrator, not to a package.", LookAtIt),
        new("module-initializer", Info, "Assembly runs code when loaded", "A module initialiser; what it reaches was followed and is harmless by itself.", Nothing),
        new("module-initializer-acts", High, "Loading the assembly reaches processes, network or code loading", "It happens before any of its types is used.", LookAtIt),
        new("module-initializer-attacks", Critical, "Loading the assembly combines what attacks combine", "Network with processes, hidden strings with code loading, or secrets with network, before any of its types is used.", RemoveAndRotate),
        new("auto-exfiltrates", Critical, "Unasked, reads secrets and uses the network", "Runs by itself, reads credentials or the whole environment, and talks to the outside.", RemoveAndRotate),
        new("auto-downloads-and-runs", Critical, "Unasked, runs what it downloads", "Runs by itself and hands downloaded bytes to an interpreter: its content is whatever the server says today.", RemoveAndRotate),
        new("auto-hides", Critical, "Unasked, does what it hides", "Runs by itself, and its commands or addresses appear only after decoding or joining pieces. Honest scripts need not hide.", RemoveAndRotate),
        new("auto-decodes-and-runs", Critical, "Unasked, executes decoded data", "Runs by itself and executes text that it first decodes.", RemoveAndRotate),
        new("auto-network-and-process", High, "Unasked, uses network and processes", "Runs by itself, fetches something and starts programs. Installers of prebuilt binaries do this; what they fetch is not pinned by your lock file.", LookAtIt),
        new("auto-reads-secrets", High, "Unasked, reads secrets", "Runs by itself and touches credentials or the whole environment.", LookAtIt),
        new("auto-persists", High, "Unasked, arranges to run again", "Runs by itself and writes to shell profiles, cron, services, keys or git hooks.", LookAtIt),
        new("auto-hooks-runtime", High, "Unasked, hooks a runtime", "Sets a variable that makes every later process of a runtime load code (start-up hooks, profilers, preloads).", LookAtIt),
        new("auto-suspicious-host", High, "Unasked, names a drop address", "Runs by itself and names a bare IP address, a webhook catcher, a paste site or a tunnel.", LookAtIt),
        new("auto-network", Medium, "Unasked, uses the network", "Runs by itself and talks to the outside.", LookAtIt),
        new("auto-obfuscated", Medium, "Unasked, runs scrambled code", "Runs by itself and was made unreadable on purpose.", LookAtIt),

        // What the code is and can do.
        new("native-code", Info, "Native code", "Normal for packages that wrap native libraries. It was not analysed beyond its kind.", Nothing),
        new("executable-disguised", High, "Executable under another kind's name", "A program with the extension of a document, picture or data file.", LookAtIt),
        new("executable-in-docs", High, "Executable among documents", "Programs do not belong into documentation.", LookAtIt),
        new("executable-hidden", High, "Hidden executable", "A program in a hidden file or directory.", LookAtIt),
        new("script-disguised", Medium, "Script under another kind's name", "Begins like a program and is named like a document or picture.", LookAtIt),
        new("can-network", Info, "References network APIs", "Normal for many packages.", Nothing),
        new("can-process", Info, "References process APIs", "Can start programs when called.", Nothing),
        new("can-load-code", Info, "References APIs that load code", "Can load assemblies at run time.", Nothing),
        new("can-call-native", Info, "Calls native functions", "P/Invoke declarations.", Nothing),
        new("addresses", Info, "Names addresses on the network", "URLs and IP addresses in its code.", Nothing),
        new("suspicious-host", Medium, "Names a drop address", "A webhook catcher, a paste site, a tunnel or a public IP address in code.", LookAtIt),
        new("code-collects-secrets", High, "Code reads secrets and names where to send them", "Credentials, or the whole environment, together with the network and a fixed suspicious address.", RemoveAndRotate),
        new("encoded-literal", Info, "Long encoded literal", "Encoded data that is neither a program nor a script; pictures, tables and certificates look like this.", Nothing),
        new("encoded-executable", High, "Program inside a literal", "Text that decodes to an executable.", LookAtIt),
        new("encoded-code", High, "Encoded text that acts", "Text that decodes to commands or code with network, process or secrets in it.", LookAtIt),
        new("encoded-code-runs", Critical, "Decodes hidden code and runs it", "The decoded text uses network, processes or secrets, and the same file executes decoded text.", RemoveAndRotate),
        new("decodes-and-runs", High, "Executes decoded data", "The result of a decoder goes straight to an interpreter, so a reader cannot see what runs.", LookAtIt),
        new("loads-embedded-code", High, "Loads code from embedded data", "The assembly carries an encoded or disguised program and calls APIs that load code.", LookAtIt),
        new("assembly-broken", Medium, "Assembly cannot be read", "Its metadata is damaged or made to confuse tools.", LookAtIt),

        // The project.
        new("lock-malformed", High, "Lock file cannot be read", "Packages it would list were not audited.", "Repair or regenerate it."),
        new("lock-missing", Low, "No lock file", "The project does not record what it was restored with; only what could be read from project files was audited.", "Commit a lock file (RestorePackagesWithLockFile, npm install, uv lock)."),
        new("not-on-disk", Info, "Not on this machine", "Named by the project, but no copy was found where packages are kept.", "Restore, then audit again."),
        new("action-not-pinned", Medium, "Workflow action not pinned by commit", "A tag can be moved to other code by whoever controls that repository.", Repin),
        new("image-not-pinned", Medium, "Container image not pinned by digest", "A tag can be moved to another image.", Repin),
        new("requirement-not-pinned", Low, "Requirement without an exact version", "What is installed depends on the day.", Repin),
        new("source-not-encrypted", Medium, "Fetched without encryption", "Anyone on the way can serve other bytes.", "Use https."),
        new("source-not-registry", Low, "Fetched from outside a registry", "A repository or address of its own: no registry's checks apply.", LookAtIt),
        new("project-file-malformed", Low, "File cannot be read", "Pins in it could not be checked.", "Repair it."),
        new("allow-list-malformed", Medium, "Allow-list entry cannot be read", "It allows nothing.", "Every entry needs package, rule and reason; until is a date (yyyy-mm-dd)."),
        new("allow-list-expired", Medium, "Allow-list entry has expired", "It allows nothing any more.", "Judge the finding again, then renew or delete the entry."),
        new("allow-list-unused", Low, "Allow-list entry matches nothing", "What it allowed is gone; left standing, it would allow the next one unseen.", "Delete it."),
    ];

    private static readonly FrozenDictionary<string, Rule> ById = Table.ToFrozenDictionary(rule => rule.Id, StringComparer.Ordinal);

    public static IReadOnlyList<Rule> All => Table;

    /// <exception cref="KeyNotFoundException">A finding names a rule that is not in the table.</exception>
    public static Rule Of(string id) => ById[id];

    public static Rule Of(Finding finding) => ById[finding.Rule];

    public static bool Knows(string id) => ById.ContainsKey(id);

    public static Verdict VerdictOf(IEnumerable<Finding> findings)
    {
        var gravest = Gravest(findings);
        return gravest switch
        {
            null => Verdict.NothingFound,
            Critical => Verdict.Block,
            High or Medium => Verdict.Review,
            _ => Verdict.Notes,
        };
    }

    public static Severity? Gravest(IEnumerable<Finding> findings) =>
        findings.Select(finding => (Severity?)Of(finding).Severity).Max();
}
