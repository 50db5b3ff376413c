# Makes so many processes that stay, and takes them all down again.
my ($wanted) = @ARGV;
$| = 1;
pipe(my $never, my $hold);
my @children;
while (@children < $wanted) {
    my $child = fork;
    last unless defined $child;
    if ($child == 0) { close $hold; sysread($never, my $byte, 1); exit }
    push @children, $child;
}
print @children == $wanted ? "ESCAPED\n" : "HELD at " . @children . "\n";
close $hold;
waitpid($_, 0) for @children;
