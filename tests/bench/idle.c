// Waits for ever: what an idle sandbox costs is measured from outside.
#include <unistd.h>

int main(void) {
  for (;;) pause();
}
