# Leaves a grandchild behind, in a session of its own, without any of the descriptors, and ends.
use POSIX;
$| = 1;
my $first = fork;
if ($first == 0) {
    POSIX::setsid();
    if (fork == 0) { POSIX::close($_) for 0 .. 2; sleep 600; }
    POSIX::_exit(0);
}
waitpid($first, 0);
print "started\n";
