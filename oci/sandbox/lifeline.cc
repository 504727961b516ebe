#include "oci/sandbox/lifeline.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace runsc::oci {
namespace {

constexpr char kGoOn = 'h';
constexpr char kLive = 'k';

Expected<void> say(const UniqueFd& held, char word) {
  ssize_t put;
  while ((put = ::send(held.get(), &word, 1, MSG_NOSIGNAL)) < 0 && errno == EINTR) continue;
  if (put != 1) return fail_errno("the sandbox is gone", kExitSandbox);
  return {};
}

}  // namespace

Expected<Lifeline> make_lifeline() {
  int ends[2];
  // As good as a pipe, but for the signal that writing to nobody would bring.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  return Lifeline{UniqueFd(ends[1]), UniqueFd(ends[0])};
}

Expected<void> let_go_on(const UniqueFd& held) { return say(held, kGoOn); }

Expected<void> let_live(const UniqueFd& held) { return say(held, kLive); }

LifelineNews read_lifeline(int fd) {
  char word = 0;
  ssize_t got;
  while ((got = ::read(fd, &word, 1)) < 0 && errno == EINTR) continue;
  if (got == 1 && word == kLive) return LifelineNews::live;
  return got == 1 && word == kGoOn ? LifelineNews::go_on : LifelineNews::dead;
}

}  // namespace runsc::oci
