#include "oci/sandbox/signals.h"

#include <initializer_list>

namespace runsc::oci {

sigset_t forwarded_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signo : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT, SIGTSTP,
                          SIGWINCH, SIGIO, SIGPWR, SIGVTALRM}) {
    sigaddset(&set, signo);
  }
  return set;
}

}  // namespace runsc::oci
