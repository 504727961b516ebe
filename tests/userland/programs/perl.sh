# Text, processes, pipes and sockets in perl.
set -e
cd /tmp
perl -e 'for (1..50000) { $h{$_ % 997} += $_ } print join(",", map { "$_=$h{$_}" } (sort { $a <=> $b } keys %h)[0..9]), "\n"'
perl -MPOSIX -e 'pipe(R, W); if (!fork) { close R; print W "child\n"; exit 3 } close W; print <R>; wait; print WEXITSTATUS($?), "\n"'
perl -MIO::Select -MSocket -e 'socketpair($a, $b, AF_UNIX, SOCK_STREAM, 0); syswrite $a, "x"; print scalar(IO::Select->new($b)->can_read(5)), "\n"'
perl -MFile::Temp -MFile::Find -e '$d = File::Temp->newdir; for (1..50) { open F, ">$d/$_"; print F $_ } close F; find(sub { $n++ if -f }, $d); print "$n\n"'
perl -e '$SIG{ALRM} = sub { print "alarm\n"; exit }; alarm 1; sleep 60'
perl -e 'open F, "+>", "/tmp/l"; flock(F, 2) and print "locked\n"; truncate F, 1000; print -s F, "\n"'
