using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Astra.Tools.Webhooks;

/// <summary>
/// One try to deliver one message. The name is resolved here and the connection goes to the very address that was checked;
/// no proxy, no redirect, no cookie, and nothing of the answer is read but its status.
/// </summary>
public sealed class WebhookSender : IDisposable
{
    /// <summary>From the first byte out to the status in. A receiver that has work to do does it afterwards.</summary>
    public static readonly TimeSpan TryTimeMax = TimeSpan.FromSeconds(10);

    private const string UserAgent = "Astra-Hooks/1";
    private const int AnswerHeadersKilobytesMax = 16;

    private readonly HookSecrets _secrets;
    private readonly AddressRules _rules;
    private readonly TimeProvider _clock;
    private readonly HttpClient _http;

    public WebhookSender(HookSecrets secrets, AddressRules rules, TimeProvider clock)
    {
        (_secrets, _rules, _clock) = (secrets, rules, clock);
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            MaxResponseHeadersLength = AnswerHeadersKilobytesMax,
            // Whatever else a receiver answers stays in its socket, and that is closed.
            MaxResponseDrainSize = 0,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        }, disposeHandler: true)
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public async Task<TryOutcome> SendAsync(DueMessage message, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, message.Url);
        try
        {
            Sign(request, message);
        }
        catch (CryptographicException)
        {
            return new TryOutcome(false, null, "The secret of this hook cannot be opened by this fleet; remove the hook and add it again.", IsFinal: true);
        }

        using var patience = new CancellationTokenSource(TryTimeMax, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
            return OutcomeOf((int)response.StatusCode);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return new TryOutcome(false, null, $"The receiver did not answer within {TryTimeMax.TotalSeconds:0} seconds.");
        }
        catch (HttpRequestException e) when (RefusalIn(e) is { } refused)
        {
            return new TryOutcome(false, null, refused.Message, IsFinal: true);
        }
        catch (HttpRequestException e)
        {
            return new TryOutcome(false, null, $"The receiver could not be reached: {FirstSentence(e)}");
        }
    }

    /// <summary>The addresses of a host that a message may go to.</summary>
    /// <exception cref="AddressRefusedException">There are some, and to none of them.</exception>
    /// <exception cref="SocketException">The name is not known.</exception>
    public async ValueTask<IReadOnlyList<IPAddress>> ResolveAsync(Uri url, CancellationToken cancellationToken)
    {
        var addresses = IPAddress.TryParse(url.DnsSafeHost, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(url.DnsSafeHost, cancellationToken);
        var isPlain = url.Scheme == Uri.UriSchemeHttp;
        var allowed = addresses.Where(address => isPlain ? _rules.IsNamed(address) : _rules.IsAllowed(address)).ToList();
        if (allowed.Count > 0)
            return allowed;
        throw new AddressRefusedException(isPlain && addresses.Any(AddressRules.IsPublic)
            ? $"Messages go over the network encrypted only; give {url.Host} an https address."
            : $"{url.Host} is not at a public address, and this server sends messages to no other; whoever runs it can name a network with --hook-allow.");
    }

    public void Dispose() => _http.Dispose();

    private void Sign(HttpRequestMessage request, DueMessage message)
    {
        var secret = _secrets.Open(message.Tenant, message.Hook, message.SealedSecret.Span);
        try
        {
            var (id, timestamp) = (WebhookSignature.IdOf(message.Id), WebhookSignature.TimestampOf(_clock.GetUtcNow()));
            request.Content = new ReadOnlyMemoryContent(message.Body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation("User-Agent", UserAgent);
            request.Headers.Add(WebhookSignature.IdHeader, id);
            request.Headers.Add(WebhookSignature.TimestampHeader, timestamp);
            request.Headers.TryAddWithoutValidation(WebhookSignature.SignatureHeader, WebhookSignature.Of(secret, id, timestamp, message.Body.Span));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        // Checked here and not before: between a check and a connection of its own a name can come to mean another place.
        var addresses = await ResolveAsync(context.InitialRequestMessage.RequestUri!, cancellationToken);
        for (var i = 0; ; i++)
        {
            var socket = new Socket(addresses[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses[i], context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException) when (i + 1 < addresses.Count)
            {
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    private static TryOutcome OutcomeOf(int status) => status switch
    {
        >= 200 and < 300 => new TryOutcome(true, status),
        (int)HttpStatusCode.Gone => new TryOutcome(false, status, "The receiver answered 410: it wants no more messages.", IsFinal: true),
        >= 300 and < 400 => new TryOutcome(false, status, $"The receiver answered {status}; redirects are not followed, give the hook the address itself."),
        _ => new TryOutcome(false, status, $"The receiver answered {status}."),
    };

    private static AddressRefusedException? RefusalIn(Exception exception)
    {
        for (var inner = exception; inner is not null; inner = inner.InnerException)
            if (inner is AddressRefusedException refused)
                return refused;
        return null;
    }

    private static string FirstSentence(HttpRequestException exception) => exception.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => "its name is not known.",
        HttpRequestError.SecureConnectionError => "there is no secure connection with it; look at its certificate.",
        HttpRequestError.ResponseEnded or HttpRequestError.InvalidResponse => "what it answers is not HTTP, or is cut off.",
        HttpRequestError.ConfigurationLimitExceeded => "its answer is too large.",
        _ => exception.InnerException is SocketException socket ? $"{socket.SocketErrorCode}." : $"{exception.HttpRequestError}.",
    };
}
