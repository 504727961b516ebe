#include "oci/sandbox/lifeline.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace runsc::oci {
namespace {

constexpr char kGoOn = 'h';
constexpr char kLive = 'k';

Expected<void> say(const UniqueFd& held, char word) {
  ssize_t put;
  while ((put = ::write(held.get(), &word, 1)) < 0 && errno == EINTR) continue;
  if (put != 1) return fail_errno("the sandbox is gone", kExitSandbox);
  return {};
}

}  // namespace

Expected<Lifeline> make_lifeline() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
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
