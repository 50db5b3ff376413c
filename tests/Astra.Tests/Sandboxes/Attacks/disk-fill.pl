# Writes so many megabytes into one directory, in files of one megabyte.
my ($wanted) = @ARGV;
my $block = 'x' x (1 << 20);
for my $i (1 .. $wanted) {
    open(my $file, '>', "$ENV{SCRATCH}/$i") or do { print "HELD at $i: $!\n"; exit };
    (syswrite($file, $block) // 0) == length $block or do { print "HELD at $i: $!\n"; exit };
}
print "ESCAPED\n";
