# Uses so many megabytes, touching each page.
$| = 1;
print "HELD so far\n";
my @held;
push @held, 'x' x (1 << 20) for 1 .. $ARGV[0];
print "ESCAPED\n";
