# Opens a file for writing, without writing.
open(my $file, '>>', $ARGV[0]) or do { print "HELD $!\n"; exit };
print "ESCAPED\n";
