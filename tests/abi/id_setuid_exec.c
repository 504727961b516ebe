// Programs with set-id bits: ids, AT_SECURE, no_new_privs, dumpable: execve(2), prctl(2).
#include <grp.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

#include "abi.h"

static void become(void) {
  OK(setgroups(0, NULL));
  OK(setresgid(1000, 1000, 1000));
  OK(setresuid(1000, 1000, 1000));
}

// Runs the copy with what it has to find.
static pid_t run(const char* uid, const char* euid, const char* egid, const char* secure, bool no_new_privs) {
  return FORK({
    become();
    if (no_new_privs) OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    char* args[] = {"copy", (char*)uid, (char*)euid, (char*)egid, (char*)secure, NULL};
    OK(execv("./copy", args));
  });
}

int main(int argc, char** argv) {
  if (argc > 4) {
    uid_t r, e, s;
    gid_t rg, eg, sg;
    OK(getresuid(&r, &e, &s));
    OK(getresgid(&rg, &eg, &sg));
    CHECK_EQ(r, atoi(argv[1]));
    CHECK_EQ(e, atoi(argv[2]));
    CHECK_EQ(s, atoi(argv[2]));
    CHECK_EQ(eg, atoi(argv[3]));
    CHECK_EQ(sg, atoi(argv[3]));
    CHECK_EQ(getauxval(AT_SECURE), atoi(argv[4]));
    CHECK_EQ(getauxval(AT_EUID), e);
    CHECK_EQ(getauxval(AT_UID), r);
    return 55;
  }
  // A copy of ourselves that carries the bits, where they count: not on a file system mounted nosuid.
  abi_scratch();
  struct statvfs fs;
  OK(statvfs(".", &fs));
  const bool counts = !(fs.f_flag & ST_NOSUID);
  int in = OK(open(argv[0], O_RDONLY)), out = OK(open("copy", O_CREAT | O_WRONLY, 0755));
  char buffer[65536];
  for (ssize_t n; (n = OK(read(in, buffer, sizeof(buffer)))) > 0;) CHECK_EQ(write(out, buffer, n), n);
  OK(close(out));

  WAIT_EXIT(run("1000", "1000", "1000", "0", false), 55);
  OK(chown("copy", 4321, 8765));
  OK(chmod("copy", 04755));
  WAIT_EXIT(counts ? run("1000", "4321", "1000", "1", false) : run("1000", "1000", "1000", "0", false), 55);
  OK(chmod("copy", 02755));
  WAIT_EXIT(counts ? run("1000", "1000", "8765", "1", false) : run("1000", "1000", "1000", "0", false), 55);
  OK(chmod("copy", 06755));
  WAIT_EXIT(counts ? run("1000", "4321", "8765", "1", false) : run("1000", "1000", "1000", "0", false), 55);
  WAIT_EXIT(run("1000", "1000", "1000", "0", true), 55);  // promised not to gain
  OK(chmod("copy", 02745));                               // setgid without x for the group is no setgid
  WAIT_EXIT(run("1000", "1000", "1000", "0", false), 55);
  OK(chown("copy", 1000, 1000));
  OK(chmod("copy", 06755));
  WAIT_EXIT(run("1000", "1000", "1000", "0", false), 55);  // no change, no secure mode

  IN_CHILD({
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    FAILS(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    IN_CHILD(CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1));
  });
  // Changed ids make a process undumpable: its files in /proc belong to root.
  IN_CHILD({
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    become();
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    OK(prctl(PR_SET_DUMPABLE, 1));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    FAILS(prctl(PR_SET_DUMPABLE, 5), EINVAL);
  });
  return 0;
}
