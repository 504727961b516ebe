// execve(2): interpreter scripts.
#include "abi.h"

static const char* g_self;

static void script(const char* name, const char* line) {
  abi_put(name, line);
  OK(chmod(name, 0755));
}

static void expect(const char* name, const char* want) {
  char line[512];
  int fds[2];
  OK(pipe(fds));
  pid_t pid = FORK({
    OK(dup2(fds[1], 1));
    char* args[] = {"zero", "first", "second word", NULL};
    OK(execv(name, args));
  });
  OK(close(fds[1]));
  ssize_t n = OK(read(fds[0], line, sizeof(line) - 1));
  line[n] = 0;
  OK(close(fds[0]));
  WAIT_OK(pid);
  CHECK_STR(line, want);
}

int main(int argc, char** argv) {
  if (getenv("INTERPRETER")) {
    char line[512] = "";
    for (int i = 1; i < argc; i++) {
      strcat(line, "[");
      strcat(line, argv[i]);
      strcat(line, "]");
    }
    CHECK(write(1, line, strlen(line)) > 0);
    return 0;
  }
  OK(setenv("INTERPRETER", "1", 1));
  g_self = argv[0];
  char text[1024];
  abi_scratch();
  snprintf(text, sizeof(text), "#!%s\n", g_self);
  script("none", text);
  expect("./none", "[./none][first][second word]");
  snprintf(text, sizeof(text), "#! \t %s   one argument  with blanks \t \nrest\n", g_self);
  script("one", text);
  expect("./one", "[one argument  with blanks][./one][first][second word]");
  snprintf(text, sizeof(text), "#!%s x", g_self);  // no end of line
  script("cut", text);
  expect("./cut", "[x][./cut][first][second word]");

  // The interpreter may be a script again, up to four times.
  script("level1", "#!./none inner\n");
  expect("./level1", "[./none][inner][./level1][first][second word]");
  script("level2", "#!./level1\n");
  script("level3", "#!./level2\n");
  script("level4", "#!./level3\n");
  script("level5", "#!./level4\n");
  script("level6", "#!./level5\n");
  char* args[] = {"x", NULL};
  expect("./level4", "[./none][inner][./level1][./level2][./level3][./level4][first][second word]");
  FAILS(execv("./level6", args), ELOOP);

  script("missing", "#!/nonexistent/interpreter\n");
  FAILS(execv("./missing", args), ENOENT);
  script("nothing", "#!\n");
  FAILS(execv("./nothing", args), ENOEXEC);
  script("directory", "#!/\n");
  FAILS(execv("./directory", args), EACCES);
  script("plain", "echo\n");
  FAILS(execv("./plain", args), ENOEXEC);
  OK(chmod("none", 0644));
  FAILS(execv("./none", args), EACCES);
  FAILS(execv("./level1", args), EACCES);
  // A real shell.
  script("shell", "#!/bin/sh -e\ntest \"$1\" = first\nprintf %s \"$#$0\"\n");
  expect("./shell", "2./shell");
  return 0;
}
