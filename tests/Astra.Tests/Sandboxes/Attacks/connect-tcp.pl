# Connects to an address and port.
use Socket;
my ($address, $port) = @ARGV;
socket(my $socket, PF_INET, SOCK_STREAM, 0) or do { print "HELD $!\n"; exit };
connect($socket, pack_sockaddr_in($port, inet_aton($address))) or do { print "HELD $!\n"; exit };
print "ESCAPED\n";
