// Host only. The line by which what a command starts hangs on the command until that has recorded it. Its
// end, with the command's, is the end of the sandbox or of the process that stands for a container.
#pragma once

#include "oci/host/error.h"
#include "oci/host/unique_fd.h"

namespace runsc::oci {

struct Lifeline {
  UniqueFd held;   // the command's end
  UniqueFd child;  // the other; open nowhere else once it was handed over
};

Expected<Lifeline> make_lifeline();
// The command: the hooks that run between namespaces and mounts have run.
Expected<void> let_go_on(const UniqueFd& held);
// The command: from now on it may live without.
Expected<void> let_live(const UniqueFd& held);

enum class LifelineNews { go_on, live, dead };
// The other side: waits for the next word.
LifelineNews read_lifeline(int fd);

}  // namespace runsc::oci
