# Reads a file of the host by its path.
open(my $file, '<', $ARGV[0]) or do { print "HELD $!\n"; exit };
print defined(<$file>) ? "ESCAPED\n" : "HELD empty\n";
