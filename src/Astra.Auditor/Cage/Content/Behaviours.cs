using System.Buffers;
using System.Text.RegularExpressions;

namespace Astra.Auditor.Cage.Content;

/// <summary>What a piece of text would do when run.</summary>
[Flags]
internal enum Behaviour
{
    None = 0,
    Network = 1 << 0,
    Process = 1 << 1,
    Interpret = 1 << 2,
    Secrets = 1 << 3,
    Environment = 1 << 4,
    Decode = 1 << 5,
    Persist = 1 << 6,
    HookRuntime = 1 << 7,
    DropHost = 1 << 8,
    PipeToShell = 1 << 9,
    WriteProgram = 1 << 10,
}

[Flags]
internal enum Language
{
    None = 0,
    JavaScript = 1,
    Python = 2,
    PowerShell = 4,
    Shell = 8,
    CSharp = 16,
    Any = JavaScript | Python | PowerShell | Shell | CSharp,
}

internal static class FlagSets
{
    public static bool Overlaps(this Behaviour some, Behaviour others) => (some & others) != Behaviour.None;

    public static bool Overlaps(this Language some, Language others) => (some & others) != Language.None;

    public static bool Overlaps(this Ability some, Ability others) => (some & others) != Ability.None;
}

/// <summary>
/// The words behind each behaviour. A word that begins or ends with a letter must stand alone there; one written with a
/// leading space must also not follow a dot, because `pattern.exec(` is not `exec(`.
/// </summary>
internal static partial class Behaviours
{
    private const Language Js = Language.JavaScript, Py = Language.Python, Ps = Language.PowerShell, Sh = Language.Shell, Cs = Language.CSharp;

    private static readonly Row[] Table =
    [
        new(Behaviour.Network, Language.Any, [
            "curl", "wget", "/dev/tcp/", "/dev/udp/", "bitsadmin", "certutil -urlcache", "certutil.exe -urlcache", "nslookup", "ncat", "tftp", "ftp://", "scp ", "rsync ",
            "Invoke-WebRequest", "Invoke-RestMethod", "Start-BitsTransfer", "Net.WebClient", "Net.Http.HttpClient", "DownloadString", "DownloadFile", "DownloadData",
            "UploadString", "UploadData", "UploadFile", "Net.Sockets", "MSXML2.XMLHTTP", "WinHttp.WinHttpRequest", "URLDownloadToFile", "openssl s_client", "aria2c",
            "GetHostAddresses", "Resolve-DnsName"]),
        new(Behaviour.Network, Ps | Sh, [" iwr", " irm", " nc -", " nc.", " nc ", " dig ", "mshta http", "python -m http", "powershell wget"]),
        new(Behaviour.Network, Js, [
            "require('http')", "require(\"http\")", "require('https')", "require(\"https\")", "require('node:http')", "require('node:https')", "require(\"node:http\")", "require(\"node:https\")",
            "require('net')", "require(\"net\")", "require('node:net')", "require(\"node:net\")", "require('dns')", "require(\"dns\")", "require('node:dns')", "require(\"node:dns\")",
            "require('tls')", "require(\"tls\")", "require('dgram')", "require(\"dgram\")", "require('http2')", "require(\"http2\")", "require('axios')", "require(\"axios\")",
            "require('request')", "require(\"request\")", "require('node-fetch')", "require(\"node-fetch\")", "require('got')", "require(\"got\")", "require('undici')", "require(\"undici\")",
            "require('ws')", "require(\"ws\")", "require(`http", "require(`net", "require(`dns", "from 'http'", "from \"http\"", "from 'https'", "from \"https\"", "from 'node:http'", "from \"node:http\"",
            "from 'node:https'", "from \"node:https\"", "from 'net'", "from \"net\"", "from 'node:net'", "from \"node:net\"", "from 'dns'", "from \"dns\"", "import('http", "import(\"http", "import('node:http", "import(\"node:http",
            "['https']", "[\"https\"]", " fetch(", "globalThis.fetch", "XMLHttpRequest", "new WebSocket", "sendBeacon", "https.get", "http.get", "https.request", "http.request", "dns.lookup", "dns.resolve", "net.connect", "net.createConnection"]),
        new(Behaviour.Network, Py, [
            "urllib.request", "urllib2", "urlopen", "urlretrieve", "requests.get", "requests.post", "requests.put", "requests.request", "import requests", "http.client", "HTTPConnection", "HTTPSConnection",
            "import socket", "from socket", "socket.socket", "socket.create_connection", "socket.gethostbyname", "getaddrinfo", "import httpx", "httpx.", "import aiohttp", "aiohttp.", "smtplib", "ftplib", "telnetlib",
            "import urllib3", "paramiko", "'socket'", "\"socket\"", "'urllib.request'", "\"urllib.request\"", "'urllib'", "\"urllib\"", "'requests'", "\"requests\"", "'http.client'", "\"http.client\""]),
        new(Behaviour.Network, Cs, ["HttpClient", "WebRequest", "WebClient", "TcpClient", "UdpClient", "System.Net.Sockets", "SmtpClient", "ClientWebSocket", "Dns.GetHost"]),

        new(Behaviour.Process, Js, [
            "child_process", "execSync", "execFileSync", "spawnSync", "process.binding", "process.dlopen", "execa", "shelljs", "cross-spawn", "worker_threads"]),
        new(Behaviour.Process, Py, ["subprocess", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "pty.spawn", "os.startfile", "commands.getoutput", "'os').system", "\"os\").system", "check_output", "Popen", "ctypes.CDLL", "ctypes.windll", "create_subprocess"]),
        new(Behaviour.Process, Ps, ["Start-Process", "Diagnostics.Process", "cmd /c", "cmd.exe", "rundll32", "regsvr32", "mshta", "wscript", "cscript", "Invoke-CimMethod", "wmic ", "schtasks"]),
        new(Behaviour.Process, Sh, ["chmod +x", "chmod 7", "nohup", "setsid", "bash -i", "mkfifo", "./tmp", "/tmp/"]),
        new(Behaviour.Process, Cs, ["Process.Start", "ProcessStartInfo", "System.Diagnostics.Process", "DllImport", "LibraryImport", "VirtualAlloc", "CreateThread"]),

        new(Behaviour.Interpret, Js, [" eval(", "eval.call", "eval.apply", "(0,eval)", "(0, eval)", "[\"eval\"]", "['eval']", "global.eval", "globalThis.eval", "window.eval", "new Function(", " Function(", "[\"constructor\"](", "['constructor'](", ".constructor(\"", ".constructor('", "vm.runIn", "runInThisContext", "runInNewContext", "new vm.Script", "module._compile", "._compile("]),
        new(Behaviour.Interpret, Py, [" exec(", " eval(", "builtins.exec", "builtins.eval", "__builtins__", "'exec')", "\"exec\")", "'eval')", "\"eval\")", "marshal.loads", "pickle.loads", "types.FunctionType", "types.CodeType", "'ex'+", "\"ex\"+", "runpy.run"]),
        new(Behaviour.Interpret, Ps, ["Invoke-Expression", " iex", "|iex", "| iex", "&([scriptblock]", "[scriptblock]::Create", "-EncodedCommand", " -enc ", " -e ", " -ec ", "Reflection.Assembly]::Load", "Add-Type", "InvokeScript"]),
        new(Behaviour.Interpret, Sh, [" eval ", " eval\"", "node -e", "node --eval", "node -p", "python -c", "python3 -c", "perl -e", "ruby -e", "php -r", "powershell -e", "powershell -c", "pwsh -e", "bash -c", " sh -c", "-EncodedCommand", " -enc "]),
        new(Behaviour.Interpret, Cs, ["Assembly.Load", "LoadFromStream", "CSharpScript", "DynamicMethod", "MethodInfo.Invoke", "Activator.CreateInstance"]),

        new(Behaviour.Secrets, Language.Any, [
            ".ssh", "id_rsa", "id_ed25519", "id_ecdsa", ".npmrc", ".aws/", ".aws\\", ".aws'", ".aws\"", "aws/credentials", ".netrc", ".git-credentials", ".docker/config.json", ".kube/config", ".pypirc", "/etc/passwd", "/etc/shadow", ".gnupg", ".gitconfig",
            ".azure", ".config/gcloud", "application_default_credentials", "NuGet.Config", "wallet.dat", "Login Data", "Local State", "Cookies.sqlite", "logins.json", "key4.db", "login.keychain", "Web Data", "MetaMask",
            "AWS_SECRET", "AWS_ACCESS_KEY", "GITHUB_TOKEN", "NPM_TOKEN", "NODE_AUTH_TOKEN", "CI_JOB_TOKEN", "AZURE_CLIENT_SECRET", "VAULT_TOKEN", "_authToken", "169.254.169.254", "metadata.google.internal", ".bash_history", ".zsh_history", ".terraform.d", "NUGET_API_KEY", "security find-generic-password", "/proc/self/environ"]),

        new(Behaviour.Environment, Js, [
            "JSON.stringify(process.env)", "JSON.stringify(process.env,", "Object.entries(process.env)", "Object.keys(process.env)", "Object.values(process.env)", "querystring.stringify(process.env", "URLSearchParams(process.env", "JSON.stringify({...process.env", "inspect(process.env", "write(process.env", "stringify({env:process.env", "env:process.env,host", "process['env'])", "process[\"env\"])", "(process.env)"]),
        new(Behaviour.Environment, Py, ["dict(os.environ", "str(os.environ", "repr(os.environ", "os.environ.items", "dumps(os.environ", "dumps(dict(os.environ", "urlencode(os.environ", "list(os.environ", "os.environb", "environ).encode"]),
        new(Behaviour.Environment, Ps, ["Get-ChildItem env:", "gci env:", "dir env:", "ls env:", "Get-Item env:", "GetEnvironmentVariables", "env:*"]),
        new(Behaviour.Environment, Sh, ["$(env)", "`env`", "env |", "env|", "printenv", "$(set)", "export -p", "env >", "env>", "<(env)", "declare -x", "set |", "env | base64"]),
        new(Behaviour.Environment, Cs, ["GetEnvironmentVariables"]),

        new(Behaviour.Decode, Language.Any, ["base64", "FromBase64String", "FromHexString", "fromCharCode", "fromCodePoint", "unhexlify", "fromhex", "atob", "b64decode", "b32decode", "b85decode", "a85decode", "rot13", "rot_13", "zlib.decompress", "gunzipSync", "inflateSync", "brotliDecompress", "lzma.decompress", "bz2.decompress", "xxd -r", "unescape(", "decodeURIComponent(", "[char]", "-bxor", "Convert.ToByte", "'hex'", "\"hex\"", "bytes([", "bytearray([", "chr(", "Uint8Array.from", "TextDecoder", "reverse()", "[::-1]", "| rev"]),

        new(Behaviour.Persist, Language.Any, [".bashrc", ".bash_profile", ".zshrc", ".zprofile", "crontab", "/etc/cron", "/etc/rc.local", "LaunchAgents", "LaunchDaemons", "CurrentVersion\\Run", "CurrentVersion\\\\Run", "authorized_keys", "schtasks", "systemctl enable", "/etc/systemd", ".config/systemd", ".config/autostart", ".git/hooks", "Start Menu\\Programs\\Startup", "Register-ScheduledTask", "/etc/ld.so.preload", "/etc/profile.d"]),

        new(Behaviour.HookRuntime, Language.Any, ["DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "CORECLR_PROFILER", "CORECLR_ENABLE_PROFILING", "COR_PROFILER", "COR_ENABLE_PROFILING", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PYTHONSTARTUP", "NODE_OPTIONS", "BASH_ENV", "PROMPT_COMMAND", "sitecustomize", "usercustomize", "AppDomainManagerType", "JAVA_TOOL_OPTIONS", "GIT_SSH_COMMAND"]),

        new(Behaviour.DropHost, Language.Any, ["discord.com/api/webhooks", "discordapp.com/api/webhooks", "webhook.site", "requestbin", "pipedream.net", "ngrok", "burpcollaborator", "oastify.com", "oast.", "interact.sh", "interactsh", "api.telegram.org", "pastebin.com", "paste.ee", "hastebin", "transfer.sh", "hooks.slack.com", "requestcatcher", "beeceptor", "canarytokens", "trycloudflare.com", "serveo.net", "localtunnel", "loca.lt", "file.io", "anonfiles", "0x0.st", "termbin.com", ".onion", "dnslog.cn", "ceye.io", "temp.sh", "bashupload"]),

        new(Behaviour.PipeToShell, Language.Any, ["|sh", "| sh", "|bash", "| bash", "|zsh", "| zsh", "| sudo", "|sudo", "|node", "| node", "|python", "| python", "|perl", "| perl", "|iex", "| iex", "|Invoke-Expression", "| Invoke-Expression", "sh <(", "bash <(", "source <(", ". <(", "$(curl", "$(wget", "`curl", "`wget", "iex (", "iex(", "Invoke-Expression (", "Invoke-Expression(", "eval(require('child_process')"]),
        new(Behaviour.PipeToShell, Py, ["exec(urllib", "exec(requests", "eval(requests", "exec(urlopen", "exec(__import__('urllib", "exec(__import__(\"urllib"]),

        new(Behaviour.WriteProgram, Language.Any, ["chmod +x", "chmod 755", "chmod 777", "chmodSync", "os.chmod", "0o755", "0o777", "Set-ExecutionPolicy", "-OutFile", "curl -o", "wget -O"]),
    ];

    /// <summary>The behaviours in a text, with the first place of each.</summary>
    public static Behaviour Find(string text, Language language, Dictionary<Behaviour, int>? firstAt = null)
    {
        var found = Behaviour.None;
        foreach (var row in Table)
        {
            var means = row.Means;
            if (!row.In.Overlaps(language) || (found.Overlaps(means) && firstAt is null) || !text.AsSpan().ContainsAny(row.AnyWord))
                continue;
            foreach (var word in row.Words)
            {
                var at = IndexOf(text, word);
                if (at < 0)
                    continue;
                found |= means;
                if (firstAt is not null && (!firstAt.TryGetValue(means, out var earlier) || at < earlier))
                    firstAt[means] = at;
                if (firstAt is null)
                    break;
            }
        }
        foreach (var loop in EnvironmentAsWhole().EnumerateMatches(text))
        {
            found |= Behaviour.Environment;
            firstAt?.TryAdd(Behaviour.Environment, loop.Index);
            break;
        }
        if (Addresses.FindBareIp(text) is { } ipAt)
        {
            found |= Behaviour.DropHost;
            firstAt?.TryAdd(Behaviour.DropHost, ipAt);
        }
        return found;
    }

    /// <summary>One search for all words of a row lets most rows go at once; which word it was is asked only after a hit.</summary>
    private sealed class Row(Behaviour means, Language languages, string[] words)
    {
        private SearchValues<string>? _anyWord;

        public Behaviour Means => means;
        public Language In => languages;
        public string[] Words => words;
        public SearchValues<string> AnyWord =>
            _anyWord ??= SearchValues.Create([.. words.Select(word => word[0] == ' ' ? word[1..] : word)], StringComparison.OrdinalIgnoreCase);
    }

    private static int IndexOf(string text, string word)
    {
        // A leading space is the mark "not after a dot" and not part of the word.
        var alone = word[0] == ' ';
        var wanted = alone ? word[1..] : word;
        for (var at = text.IndexOf(wanted, StringComparison.OrdinalIgnoreCase); at >= 0;
             at = text.IndexOf(wanted, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            if (at > 0 && IsWordCharacter(wanted[0]) && (IsWordCharacter(text[at - 1]) || (alone && text[at - 1] == '.')))
                continue;
            var end = at + wanted.Length;
            if (end < text.Length && IsWordCharacter(wanted[^1]) && IsWordCharacter(text[end]))
                continue;
            return at;
        }
        return -1;
    }

    private static bool IsWordCharacter(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '$';

    /// <summary>Walking over the environment or writing all of it out; asking for one variable is not this.</summary>
    [GeneratedRegex(@"\bfor\s*\(?\s*(?:const |let |var )?[\w, ()\[\]]{1,40}\s(?:in|of)\s+(?:\w+\.\w+\()?(?:process\.env|os\.environ)\b(?!\[)|\b(?:stringify|dumps|inspect|urlencode)\([^)\n]{0,80}(?:process\.env|os\.environ)\b(?![.\[\w])", RegexOptions.CultureInvariant)]
    private static partial Regex EnvironmentAsWhole();
}
