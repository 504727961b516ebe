// A shell at work: pipelines, here documents, job control, redirections, traps; what Debian's base offers.
#include "abi.h"

static void shell(const char* script, const char* want) {
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK({
    OK(dup2(fds[1], 1));
    OK(close(fds[0]));
    OK(close(fds[1]));
    char* args[] = {"bash", "-c", (char*)script, NULL};
    OK(execv("/bin/bash", args));
  });
  OK(close(fds[1]));
  char text[4096];
  size_t have = 0;
  for (ssize_t n; (n = OK(read(fds[0], text + have, sizeof(text) - 1 - have))) > 0;) have += n;
  text[have] = 0;
  OK(close(fds[0]));
  if (strcmp(text, want) != 0) FAIL("%s: expected \"%s\", got \"%s\"", script, want, text);
  WAIT_OK(pid);
}

int main(void) {
  abi_scratch();
  shell("echo hello", "hello\n");
  shell("seq 1 1000 | sort -rn | head -1", "1000\n");
  shell("seq 1 2000 | grep 7 | wc -l", "542\n");
  shell("for i in 1 2 3; do echo $i; done | tr '\\n' ' '", "1 2 3 ");
  shell("cat <<< 'a here string'; cat <<E\n$((6*7))\nE", "a here string\n42\n");
  shell("echo one > f; echo two >> f; cat < f; rm f; test ! -e f", "one\ntwo\n");
  shell("diff <(seq 3) <(seq 3) && echo same", "same\n");
  shell("(exit 3); echo $?; false || echo no; sh -c 'kill -9 $$'; echo $?", "3\nno\n137\n");
  shell("trap 'echo caught' USR1; kill -USR1 $$; echo after", "caught\nafter\n");
  shell("trap 'echo bye' EXIT", "bye\n");
  shell("sleep 100 & kill $!; wait $!; echo $?", "143\n");
  shell("set -m; sleep 100 & kill -STOP %1; kill -CONT %1; kill %1; wait %1 2>/dev/null; echo $?", "143\n");
  shell("x=$(printf '%s' abc | md5sum); echo ${x%% *}", "900150983cd24fb0d6963f7d28e17f72\n");
  shell("mkdir -p a/b/c && touch a/b/c/d && find a | sort | tr '\\n' ' '; rm -r a", "a a/b a/b/c a/b/c/d ");
  shell("mkfifo p; (echo through > p) & cat p; wait; rm p", "through\n");
  shell("ln -s /etc/passwd l; readlink l; test -s l && rm l", "/etc/passwd\n");
  shell("umask 077; touch f; stat -c '%a %s' f; rm f", "600 0\n");
  shell("tar c -C /usr/share/base-files . | tar t | sort | head -1", "./\n");
  shell("head -c 1000000 /dev/zero | wc -c", "1000000\n");
  shell("yes | head -3 | uniq -c | tr -s ' '", " 3 y\n");
  shell("perl -e 'print join(\",\", map { $_ * $_ } 1..5), \"\\n\"'", "1,4,9,16,25\n");
  shell("exec 5<>f; echo five >&5; exec 5>&-; cat f; rm f", "five\n");
  shell("cd /usr/bin/../lib && pwd -P | cut -c1-8", "/usr/lib\n");
  shell("read a b <<< '1 2 3'; echo \"$b-$a\"", "2 3-1\n");
  shell("dd if=/dev/zero of=z bs=4096 count=10 2>/dev/null; wc -c < z; truncate -s 5 z; wc -c < z; rm z",
        "40960\n5\n");
  shell("id -u; echo $$ > f; read p < f; test $p = $$ && echo same; rm f", "0\nsame\n");
  return 0;
}
