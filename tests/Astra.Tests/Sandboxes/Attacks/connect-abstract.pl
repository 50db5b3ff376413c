# Connects to a unix socket that has a name and no file.
use Socket;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or do { print "HELD $!\n"; exit };
connect($socket, pack('S', AF_UNIX) . "\0" . $ARGV[0]) or do { print "HELD $!\n"; exit };
print "ESCAPED\n";
