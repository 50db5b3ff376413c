# Makes one system call. The question is whether the kernel looks at it at all: any answer but
# "not permitted" and "no such call" comes from behind the filter.
use Errno qw(EPERM ENOSYS);
my ($number, @arguments) = map { $_ eq 'buffer' ? "\0" x 4096 : $_ eq 'self' ? $$ + 0 : /^text:(.*)/ ? "$1\0" : $_ + 0 } @ARGV;
$! = 0;
my $answer = syscall($number, @arguments);
my $refused = $answer == -1 && ($! == EPERM || $! == ENOSYS);
print $refused ? "HELD $!\n" : "ESCAPED $answer $!\n";
