# Opens a socket of the family with which networks, firewalls and audits are configured.
socket(my $socket, 16, 3, 0) or do { print "HELD $!\n"; exit };
print "ESCAPED\n";
