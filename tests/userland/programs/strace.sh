# strace of ls, and of what forks.
set -e
cd /tmp && mkdir e && touch e/a e/b
strace -o log ls e && grep -c execve log && grep -o 'openat(AT_FDCWD, "e"' log && tail -n 1 log
strace -f -qq -e trace=wait4 -e signal=none -o log sh -c '(exit 3); true' ; grep -o 'WEXITSTATUS(s) == 3' log | head -n 1
strace -c -o log true && grep -c total log
strace -e trace=none -o log sh -c 'kill -USR1 $$' || echo status $?
grep -o 'SIGUSR1.*killed\|killed by SIGUSR1' log
