# Looks for a text in the environment of every process there is.
my ($wanted) = @ARGV;
for my $file (glob '/proc/[0-9]*/environ') {
    open(my $environ, '<', $file) or next;
    local $/;
    my $text = <$environ> // '';
    if (index($text, $wanted) >= 0) { print "ESCAPED $file\n"; exit }
}
print "HELD\n";
